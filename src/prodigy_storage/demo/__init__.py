"""The main job: parse every Python file below a directory in worker processes, with everything kept in a store."""

from prodigy_storage.demo.job import Demo, Result

__all__ = ["Demo", "Result"]
