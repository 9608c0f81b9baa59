"""What the crash tests of the file backend share: a kind, two streams, and how their content is read back."""

from __future__ import annotations

import json

from prodigy_storage.ports.storage import Damage, Index, Kind, Query, Storage, Stream

SCOPE = ("shop", "nightly")


def index(body: bytes) -> Index:
    return Index(int(json.loads(body)["n"]))


def at(record: bytes) -> int:
    return int(json.loads(record)["n"])


ITEM = Kind("dead_letter", index)
LEASE = Kind("lease", index)
EVENTS = Stream("events", at)
PROGRESS = Stream("progress", at)


def line(**members: object) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def all_records(storage: Storage, stream: Stream, scope=SCOPE) -> tuple[list[dict], list[Damage]]:
    """Every record of a stream, and the damage that reading met."""
    records, damage, cursor = [], [], None
    while True:
        chunk = storage.records(scope, stream, cursor)
        records += [json.loads(one) for one in chunk.data.split(b"\n")[:-1]]
        damage += chunk.damage
        if chunk.cursor == cursor or not chunk.data:
            return records, damage
        cursor = chunk.cursor


def all_items(storage: Storage) -> tuple[dict[str, dict], list[Damage]]:
    """Every dead letter by its id, and the damage that the walk met."""
    found, damage, after = {}, [], None
    while True:
        page = storage.documents(Query(ITEM, limit=500), after)
        found |= {one.id: json.loads(one.body) for one in page.documents}
        damage += page.damage
        if page.next is None:
            return found, damage
        after = page.next
