"""Transfers over any two backends: copy, backup, restore, migrate."""

from __future__ import annotations

from prodigy_storage.transfer.backups import check, pack, unpack
from prodigy_storage.transfer.copying import Progress, copy, write
from prodigy_storage.transfer.entries import Body, Contents, Entry, Piece, entries
from prodigy_storage.transfer.manifest import Backup, StreamDigest
from prodigy_storage.transfer.migration import Migration, Project
from prodigy_storage.transfer.report import Difference, Report
from prodigy_storage.transfer.service import Files, Restored, Transfers

__all__ = [
    "Backup",
    "Body",
    "Contents",
    "Difference",
    "Entry",
    "Files",
    "Migration",
    "Piece",
    "Progress",
    "Project",
    "Report",
    "Restored",
    "StreamDigest",
    "Transfers",
    "check",
    "copy",
    "entries",
    "pack",
    "unpack",
    "write",
]
