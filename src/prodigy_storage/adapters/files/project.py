"""A project with a `.prodigy` directory of its own, from before there was a global one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from prodigy_storage.adapters.files.faults import translated
from prodigy_storage.adapters.files.layout import STORE
from prodigy_storage.adapters.files.storage import FileStorage
from prodigy_storage.errors import NotFound
from prodigy_storage.ports.storage import Storage

FOLDER = ".prodigy"
MARK = "migrated.json"
_STEP = 1 << 16


class LocalProject:
    """The data that lies in a project's directory.

    Args:
        path: The project, or its `.prodigy` directory.

    Raises:
        NotFound: there is no such directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        real = Path(os.path.realpath(path))
        self._root = real if real.name == FOLDER else real / FOLDER
        if not self._root.is_dir():
            raise NotFound(f"{real} has no {FOLDER} directory", hint="Name the directory of the project.")
        self._storage = FileStorage(self._root)

    @property
    def name(self) -> str:
        """The last component of the project's canonical path."""
        return self._root.parent.name

    @property
    def root(self) -> str:
        """The `.prodigy` directory."""
        return str(self._root)

    @property
    def storage(self) -> Storage:
        """What the directory holds."""
        return self._storage

    def is_in(self, storage: Storage) -> bool:
        """Whether the directory is that store itself, also under wrappers."""
        while (inner := getattr(storage, "inner", None)) is not None:
            storage = inner
        root = getattr(storage, "root", None)  # other backends have none, and cannot be this directory
        return root is not None and os.path.realpath(root) == os.path.realpath(self._root)

    def old_sessions(self) -> Iterator[tuple[str, bytes]]:
        """`session_state.json` and `session_*.json`: place and content."""
        with translated:
            for path in self._old_session_files():
                yield str(path), path.read_bytes()

    def _old_session_files(self) -> list[Path]:
        found = {self._root / "session_state.json", *self._root.glob("session_*.json")}
        return sorted(path for path in found if path.is_file() and not path.is_symlink())

    def last_lines(self) -> Iterator[tuple[str, bytes]]:
        """What event files end with if that is no newline: a last line of a writer that is gone; place and content."""
        with translated:
            for path in sorted((self._root / "events").rglob("*.jsonl")):
                if path.is_file() and not path.is_symlink() and (line := _last_line(path)):
                    yield str(path), line

    def strangers(self) -> Sequence[str]:
        """Files that are neither documents, records nor old sessions, relative to the directory."""
        known = {path.name for path in self._old_session_files()} | {MARK}
        return [path for path in self._storage.strangers() if path not in known and not path.startswith(f"{STORE}/")]

    def mark(self, content: bytes) -> str:
        """Write `migrated.json`, durably and whole; returns its path."""
        path, temporary = self._root / MARK, self._root / f".{uuid4().hex}.tmp"
        with translated:
            try:
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return str(path)

    def close(self) -> None:
        """Release the directory."""
        self._storage.close()


def _last_line(path: Path) -> bytes:
    """What follows the last newline."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail = b""
        while size and b"\n" not in tail:
            step = min(size, _STEP)
            size = file.seek(size - step)
            tail = file.read(step) + tail
    return tail.rpartition(b"\n")[2]
