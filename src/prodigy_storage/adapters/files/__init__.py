"""The file backend: a store in a tree of plain files, for the processes and threads of one machine."""

from prodigy_storage.adapters.files.storage import FileStorage

__all__ = ["FileStorage"]
