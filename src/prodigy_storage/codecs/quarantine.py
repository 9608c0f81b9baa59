"""Quarantine: where damaged documents go, byte for byte, so that they are in nobody's way and reported once."""

from __future__ import annotations

from prodigy_storage.codecs.kinds import QUARANTINE
from prodigy_storage.ports.names import MAX_NAME_BYTES
from prodigy_storage.ports.storage import Batch, Delete, Document, Expect, Kind, Put, Storage

_TRIED = 1000


def kept(storage: Storage, document: Document) -> Put:
    """The operation that keeps the bytes of a document; what is in quarantine already is never overwritten."""
    for number in range(1, _TRIED):
        id = document.id if number == 1 else _numbered(document.id, number)
        there = storage.fetch(document.scope, QUARANTINE, [id], fresh=True).get(id)
        if there is None:
            return Put(QUARANTINE, id, document.body, Expect.ABSENT)
        if there.body == document.body:
            return Put(QUARANTINE, id, document.body, there.version)
    return Put(QUARANTINE, _numbered(document.id, _TRIED), document.body, Expect.ABSENT)


def set_aside(storage: Storage, kind: Kind, document: Document) -> None:
    """Move a document to quarantine.

    Raises:
        Conflict: somebody has changed it meanwhile; nothing was moved.
    """
    batch = Batch(document.scope, (kept(storage, document), Delete(kind, document.id, document.version)))
    storage.commit(batch)


def _numbered(id: str, number: int) -> str:
    end = f".{number}"
    return id.encode()[: MAX_NAME_BYTES - len(end)].decode(errors="ignore") + end
