"""`store.transfers`: copies, backups and restores of a store or a part of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, cast

import attrs

from prodigy_storage.codecs.kinds import PASSING_KINDS
from prodigy_storage.codecs.values import time_text
from prodigy_storage.errors import InvalidValue
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.measuring import Form, Measuring
from prodigy_storage.ports.names import check_name, scope_of
from prodigy_storage.ports.storage import Capability, Index, Kind, Storage, Stream
from prodigy_storage.transfer.backups import check, pack, unpack
from prodigy_storage.transfer.copying import Progress, write
from prodigy_storage.transfer.entries import Contents, Entry, entries
from prodigy_storage.transfer.manifest import Backup
from prodigy_storage.transfer.migration import Migration, Project, local_entries
from prodigy_storage.transfer.report import Report


class Files(Protocol):
    """Where backups lie."""

    def write(self, path: str, pieces: Iterable[bytes], *, replace: bool = False) -> int:
        """Write a file whole, durably, or not at all; returns its size in bytes.

        Raises:
            Conflict: it exists, and `replace` is false.
        """
        ...

    def read(self, path: str) -> Iterator[bytes]:
        """Its content in pieces.

        Raises:
            NotFound: there is none.
            Corrupt: it is damaged.
        """
        ...


@attrs.frozen(kw_only=True)
class Restored:
    """What a restore did.

    Args:
        backup: What the file holds.
        report: What was written.
    """

    backup: Backup
    report: Report


class Transfers:
    """`store.transfers`.

    Args:
        storage: The store.
        clock: Says when a backup is made.
        files: Where backups lie.
        flush: Called before the store is read, so that what is buffered comes along.
    """

    def __init__(self, storage: Storage, clock: Clock, files: Files, flush: Callable[[], object]) -> None:
        self._storage = storage
        self._clock = clock
        self._files = files
        self._flush = flush

    def copy_to(
        self,
        target: Storage,
        *,
        repo: str | None = None,
        job: str | None = None,
        more: Iterable[Kind | Stream] = (),
        overwrite: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Report:
        """Copy everything, a project or a job into another store; see `transfer.copy`.

        Args:
            target: Any backend.
            repo, job: A project, or a job of it; everything if both are None.
            more: Kinds and streams of your own. Those of a backend that measures itself come along unasked, without
                an index.
            overwrite: Whether documents that differ take this store's body.
            dry_run: Write nothing, and report what would be written.
            progress: Called after each document and each piece of a stream.

        Raises:
            Corrupt: what was written does not come back.
        """
        self._flush()
        found = entries(self._storage, self._contents(more), scope_of(repo, job))
        return write(target, found, overwrite=overwrite, dry_run=dry_run, progress=progress)

    def backup(
        self,
        path: str,
        *,
        repo: str | None = None,
        job: str | None = None,
        more: Iterable[Kind | Stream] = (),
        replace: bool = False,
        progress: Callable[[Entry], None] | None = None,
    ) -> Backup:
        """Write everything, a project or a job into one compressed file, whole or not at all.

        The store may be in use: each document and each record is whole, together they are no snapshot. Records are
        read before checkpoints and these before sessions, so that a restored job can be resumed. What was committed
        before the call is in it.

        Args:
            path: The file.
            repo, job, more: As in `copy_to`.
            replace: Whether a file of that name may be replaced.
            progress: Called with each entry.

        Raises:
            Conflict: the file exists, and `replace` is false.
        """
        self._flush()
        found: list[Backup] = []
        carried = _told(entries(self._storage, self._contents(more), scope_of(repo, job)), progress)
        made_at = time_text(self._clock.now())
        content = pack(carried, scope=scope_of(repo, job), made_at=made_at, done=found.append)
        self._files.write(path, content, replace=replace)
        return found[0]

    def verify(self, path: str) -> Backup:
        """Read a backup to its end and verify every digest; writes nothing.

        Raises:
            NotFound: there is no such file.
            Corrupt: it is no backup, or damaged; says where.
            Unsupported: it has a newer format.
        """
        return check(self._files.read(path), place=path)

    def restore(
        self,
        path: str,
        *,
        more: Iterable[Kind | Stream] = (),
        overwrite: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Restored:
        """Write what a backup holds into this store; nothing is removed. The file is verified whole before.

        It may be repeated. Documents that the store has with another body are reported and kept; records are appended
        where they are missing; everything that is written is read back.

        Args:
            path: The file.
            more, overwrite, dry_run, progress: As in `copy_to`.

        Raises:
            NotFound, Corrupt, Unsupported: as in `verify`; nothing was restored.
        """
        backup = self.verify(path)
        contents = Contents().and_also(*more)
        again: list[Backup] = []
        carried = unpack(self._files.read(path), contents, place=path, done=again.append)
        report = write(self._storage, carried, overwrite=overwrite, dry_run=dry_run, progress=progress)
        return Restored(backup=backup, report=report)

    def migrate(
        self,
        project: Project,
        *,
        repo: str | None = None,
        overwrite: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Migration:
        """Copy what lies in the `.prodigy` directory of a project into this store, and leave a note there.

        Nothing is removed, and it may be repeated. The note is written only when everything came over.

        Args:
            project: Such as `adapters.files.LocalProject(path)`.
            repo: The name of the project in this store; its own if None.
            overwrite, dry_run, progress: As in `copy_to`.

        Raises:
            InvalidValue: the directory is this store.
        """
        if project.is_in(self._storage):
            raise InvalidValue("the directory to migrate is the store itself")
        name = check_name(repo or project.name)
        carried = local_entries(project, name)
        report = write(self._storage, carried, overwrite=overwrite, dry_run=dry_run, progress=progress)
        left = tuple(project.strangers())
        mark = None if dry_run or not report.complete else project.mark(self._note(name, report, left))
        return Migration(repo=name, report=report, left=left, mark=mark)

    def _note(self, repo: str, report: Report, left: Sequence[str]) -> bytes:
        said = {
            "migrated_at": time_text(self._clock.now()),
            "repo": repo,
            "documents": report.documents,
            "records": report.records + report.known,
            "left": list(left),
        }
        return json.dumps(said, ensure_ascii=False, indent=2).encode() + b"\n"

    def _contents(self, more: Iterable[Kind | Stream]) -> Contents:
        """The library's kinds and streams, the caller's, and those that the backend has besides."""
        contents = Contents().and_also(*more)
        if Capability.MEASURING not in self._storage.capabilities:
            return contents
        carried: list[Kind | Stream] = [*contents.kinds, *contents.streams, *PASSING_KINDS]
        known = {one.name for one in carried}
        rows = cast("Measuring", self._storage).measure()
        found = sorted({(row.of, row.form is Form.RECORDS) for row in rows if row.form is not Form.OTHER})
        others: list[Kind | Stream] = [
            Stream(name, lambda _: 0) if is_stream else Kind(name, lambda _: Index(0))
            for name, is_stream in found
            if name not in known
        ]
        return contents.and_also(*others)


def _told(carried: Iterator[Entry], progress: Callable[[Entry], None] | None) -> Iterator[Entry]:
    for entry in carried:
        yield entry
        if progress is not None:
            progress(entry)
