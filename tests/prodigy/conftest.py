"""A storage root of Prodigy's own, to read and to change."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from prodigy_storage.adapters.files import FileStorage

CORPUS = Path(__file__).with_name("corpus")
LONG_AGO = 1_742_000_000
"""A time in March 2025, for files that nobody writes to any more."""


def tree_of(root):
    """Everything below a directory: names, kinds, contents and times."""
    found = {}
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (status.st_mode, status.st_mtime_ns, status.st_ino, content)
    return found


def age(root):
    """Make every file look as if it had been written long ago."""
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture
def corpus(tmp_path):
    """A copy of the corpus that a test may change, without its description."""
    return copied(tmp_path, *(path.name for path in CORPUS.iterdir() if path.is_dir()))


def copied(place, *names):
    """A copy of some folders of the corpus."""
    root = place / "home" / ".prodigy"
    for name in names:
        shutil.copytree(CORPUS / name, root / name)
    age(root)
    return root


@pytest.fixture
def opened():
    """Opens roots, and closes them when the test is over."""
    with ExitStack() as stack:
        yield lambda root, **options: stack.enter_context(closing(FileStorage(root, **options)))
