"""A model of what a disk may hold after a power cut, fed by a recording of every change that the adapter made.

Syncing a file pins its data and nothing else; syncing a directory pins its entries and nothing else. A write that was
not synced may be there, lost, cut short or zeroed, each independently. Of the changes to the entries of a directory
since its last sync, any ordered prefix or any subset may be there; a rename is one change.
"""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

from prodigy_storage.adapters.files.disk import Disk


class RecordingDisk(Disk):
    """Does every change (syncs excepted) and writes it down."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.log: list[tuple] = []
        self._inodes: dict[int, int] = {}
        self._names: dict[str, int] = {}
        self._sizes: dict[int, int] = defaultdict(int)
        self._next = 0

    def note(self, *what) -> None:
        self.log.append(what)

    def make_folder(self, path):
        super().make_folder(path)
        self.note("folder", path)

    def create(self, path):
        descriptor = super().create(path)
        self._next += 1
        self._inodes[descriptor] = self._names[path] = self._next
        self.note("name", parent(path), ((path, self._next),))
        return descriptor

    def open(self, path):
        descriptor = super().open(path)
        self._inodes[descriptor] = self._names[path]
        return descriptor

    def write(self, descriptor, data):
        inode = self._inodes[descriptor]
        self.note("write", inode, self._sizes[inode], bytes(data))
        self._sizes[inode] += len(data)
        return super().write(descriptor, data)

    def write_at(self, descriptor, data, offset):
        inode = self._inodes[descriptor]
        self.note("write", inode, offset, bytes(data))
        self._sizes[inode] = max(self._sizes[inode], offset + len(data))
        return super().write_at(descriptor, data, offset)

    def truncate(self, descriptor, size):
        raise AssertionError("no write failed, so nothing is cut back")

    def sync(self, descriptor):
        self.note("sync", self._inodes[descriptor])

    def sync_folder(self, path):
        self.note("sync names", path)

    def link(self, source, target):
        super().link(source, target)
        self._names[target] = self._names[source]
        self.note("name", parent(target), ((target, self._names[target]),))

    def replace(self, source, target):
        super().replace(source, target)
        inode = self._names.pop(source)
        self._names[target] = inode
        self.note("name", parent(target), ((source, None), (target, inode)))

    def unlink(self, path):
        super().unlink(path)
        self._names.pop(path, None)
        self.note("name", parent(path), ((path, None),))


class Crashed:
    """The disk after a power cut behind the first changes of a log."""

    def __init__(self, log: list[tuple], root: str) -> None:
        self.root = root
        self.data: dict[int, bytes] = defaultdict(bytes)
        self.pending: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        self.names: dict[str, dict[str, object]] = defaultdict(dict)
        self.changes: dict[str, list[tuple]] = defaultdict(list)
        for what, *rest in log:
            getattr(self, f"_{what.replace(' ', '_')}")(*rest)

    def _folder(self, path):
        self.changes[parent(path)].append(((path, "folder"),))

    def _name(self, folder, entries):
        self.changes[folder].append(entries)

    def _write(self, inode, offset, data):
        self.pending[inode].append((offset, data))

    def _sync(self, inode):
        for offset, data in self.pending.pop(inode, ()):
            self.data[inode] = put(self.data[inode], offset, data)

    def _sync_names(self, folder):
        for entries in self.changes.pop(folder, ()):
            self._enter(folder, entries)

    def _enter(self, folder, entries):
        for path, what in entries:
            if what is None:
                self.names[folder].pop(path, None)
            else:
                self.names[folder][path] = what

    def _begin(self, *_):
        return

    _done = _begin

    def settle(self, draw: random.Random, mode: str) -> None:
        """Choose what of the unsynced changes is there: `all`, `none` or `some`."""
        for inode, writes in list(self.pending.items()):
            for offset, data in writes:
                fate = {"all": "full", "none": "lost"}.get(mode) or draw.choice(["full", "full", "lost", "cut", "zero"])
                kept = {"cut": data[: draw.randrange(len(data) + 1)], "zero": bytes(len(data))}.get(fate, data)
                if fate != "lost":
                    self.data[inode] = put(self.data[inode], offset, kept)
        for folder, changes in self.changes.items():
            for entries in self._chosen(changes, draw, mode):
                self._enter(folder, entries)

    @staticmethod
    def _chosen(changes, draw, mode):
        if mode != "some":
            return changes if mode == "all" else []
        if draw.random() < 0.5:
            return changes[: draw.randrange(len(changes) + 1)]
        return [one for one in changes if draw.random() < 0.5]

    def materialize(self, target: Path) -> None:
        """Make the tree of this state."""
        target.mkdir()
        self._fill(self.root, str(target))

    def _fill(self, folder: str, target: str) -> None:
        for path, what in self.names[folder].items():
            here = target + path[len(folder) :]
            if what == "folder":
                Path(here).mkdir()
                self._fill(path, here)
            else:
                Path(here).write_bytes(self.data[what])


def put(content: bytes, offset: int, data: bytes) -> bytes:
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


def parent(path: str) -> str:
    return path.rpartition("/")[0]
