"""Transfers over any two backends: copy, backup, restore."""

from __future__ import annotations

from prodigy_storage.transfer.copying import copy, write
from prodigy_storage.transfer.entries import Body, Contents, Entry, Piece, entries
from prodigy_storage.transfer.report import Difference, Report

__all__ = ["Body", "Contents", "Difference", "Entry", "Piece", "Report", "copy", "entries", "write"]
