"""Writing what a transfer carries into a store, and copying from one store to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from prodigy_storage.codecs.dialects import said
from prodigy_storage.errors import Conflict, Corrupt
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Batch, Damage, Document, Expect, Put, Storage
from prodigy_storage.transfer.entries import Body, Contents, Entry, entries
from prodigy_storage.transfer.joining import Joining
from prodigy_storage.transfer.report import Difference, Report

Progress = Callable[[Report], None]
"""Called after each entry with the report so far."""
_ATTEMPTS = 100


def copy(
    source: Storage,
    target: Storage,
    *,
    scope: Scope = (),
    contents: Contents | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Copy documents and records from one store into another, unchanged and verified; nothing is removed.

    Unchanged, unless the target speaks a dialect: then documents of the library take its form; or masks secrets.

    It may be repeated, also after it was killed: what is there already is left alone. A document that the target has
    with another body is reported, not overwritten; records are appended where they are missing. Records come first
    and sessions last, so that a copy that was killed leaves nothing that names what is not there. The source may be
    in use: each document and each record is whole, together they are no snapshot.

    Args:
        source: Read only.
        target: Written; each document and record is read back.
        scope: `()` everything, `(repo,)` one project, `(repo, job)` one job.
        contents: Which kinds and streams; all of the library's if None.
        overwrite: Whether documents that differ take the source's body.
        dry_run: Write nothing, and report what would be written.
        progress: Called after each document and each piece of a stream.

    Raises:
        Corrupt: what was written does not come back when it is read.
        InvalidValue: the target speaks a dialect that cannot say a value; what was written before stays.
        StorageError: the target cannot be written; what was written before stays.
    """
    found = entries(source, contents or Contents(), scope)
    return write(target, found, overwrite=overwrite, dry_run=dry_run, progress=progress)


def write(
    target: Storage,
    carried: Iterable[Entry],
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write entries into a store. See `copy`."""
    report = Report()
    joining: Joining | None = None
    for entry in carried:
        if isinstance(entry, Damage):
            report.damage.append(entry)
        elif isinstance(entry, Body):
            _put(target, entry, report, overwrite=overwrite, dry_run=dry_run)
        else:
            if joining is None or (joining.stream, joining.scope) != (entry.stream, entry.scope):
                joining = Joining(target, entry.stream, entry.scope, report, dry_run=dry_run)
            joining.add(entry.data)
        if progress is not None:
            progress(report)
    return report


def _put(target: Storage, entry: Body, report: Report, *, overwrite: bool, dry_run: bool) -> None:
    entry = attrs.evolve(entry, body=said(target, entry.kind, entry.id, entry.body))
    for _ in range(_ATTEMPTS):
        found = target.fetch(entry.scope, entry.kind, [entry.id], fresh=True).get(entry.id)
        if found is not None and found.body == entry.body:
            report.same += 1
            return
        if found is not None and not overwrite:
            report.differing.append(Difference(entry.kind.name, entry.scope, entry.id))
            return
        if dry_run or _written(target, entry, found):
            report.bytes += len(entry.body)
            report.copied += found is None
            report.replaced += found is not None
            return
    raise Conflict(f"{entry.kind.name} {entry.id} was changed by others {_ATTEMPTS} times in a row", id=entry.id)


def _written(target: Storage, entry: Body, found: Document | None) -> bool:
    """Write one document and read it back; False if somebody else wrote it too."""
    expect = Expect.ABSENT if found is None else found.version
    try:
        receipt = target.commit(Batch(entry.scope, [Put(entry.kind, entry.id, entry.body, expect)]))
    except Conflict:
        return False
    back = target.fetch(entry.scope, entry.kind, [entry.id], fresh=True).get(entry.id)
    if back is not None and back.body == entry.body:
        return True
    if back is not None and back.version != receipt.versions[entry.kind.name, entry.id]:
        return False
    place = (back.place if back else "") or "/".join((entry.kind.name, *entry.scope, entry.id))
    reason = "what was written does not come back when it is read"
    raise Corrupt(f"{place}: {reason}", place=place, reason=reason)
