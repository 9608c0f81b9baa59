"""Ids of events that are derived from what they say, so that writing one again writes the same record."""

from __future__ import annotations

import hashlib

import msgspec


class _Id(msgspec.Struct):
    id: str


_DECODER = msgspec.json.Decoder(_Id)


def derived_id(*parts: object) -> str:
    """A UUID (version 8, RFC 9562) that depends on nothing but `parts`."""
    digest = hashlib.blake2b("\0".join([str(part) for part in parts]).encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:]}"


def event_ids(data: bytes) -> set[str]:
    """The ids of the records in a chunk; lines that are no records have none."""
    found = set()
    for line in data.split(b"\n")[:-1]:
        try:
            found.add(_DECODER.decode(line).id)
        except msgspec.MsgspecError:
            continue
    return found
