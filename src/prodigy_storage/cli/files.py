"""Files that a verb writes for its user: whole or not at all, and nothing is overwritten unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

import click

_MODE = 0o666


@contextmanager
def fresh(path: Path, *, replace: bool) -> Iterator[Path]:
    """A place beside `path` to write to; when the block is left in order, it takes that name, durably.

    Raises:
        UsageError: there is something of that name, and it must not be replaced.
    """
    if path.exists() and not replace:
        raise click.UsageError(f"{path} exists; --yes replaces it")
    descriptor, name = mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    try:
        os.fchmod(descriptor, _MODE & ~_umask())
        yield Path(name)
        os.fsync(descriptor)
        Path(name).replace(path)
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
