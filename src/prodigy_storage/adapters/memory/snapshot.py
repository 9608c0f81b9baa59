"""The whole content of a memory store as bytes: versions, positions and cursors stay what they are.

A first line says the format; then each document and each stream, a line of JSON and its bytes; a checksum ends it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import attrs

from prodigy_storage.adapters.memory.documents import Documents
from prodigy_storage.adapters.memory.records import Records
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Document, Index, Version

_FIRST = b"prodigy-storage memory 1\n"
_SUM = 16
"""Bytes of the last line: `end` with the checksum in hexadecimal."""


@attrs.define
class Content:
    """What a memory store holds.

    Args:
        store: The id of the store, which its cursors carry.
        last_version: The number of the newest version.
        kinds, streams: The documents by kind, and the records by stream and scope.
    """

    store: str
    last_version: int = 0
    kinds: dict[str, Documents] = attrs.field(factory=dict)
    streams: dict[tuple[str, Scope], Records] = attrs.field(factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all bodies and records."""
        bodies = (len(entry[0].body) for kind in self.kinds.values() for entry in kind.entries.values())
        return sum(bodies) + sum(one.end - one.base for one in self.streams.values())


def pack(content: Content) -> bytes:
    """The bytes of a store."""
    whole = b"".join([_FIRST, *_parts(content)])
    return whole + b"end %08x\n\n\n\n" % crc32(whole)


def _parts(content: Content) -> Iterator[bytes]:
    yield _line({"store": content.store, "last_version": content.last_version})
    for kind in content.kinds.values():
        for document, index in kind.entries.values():
            head = {"kind": document.kind, "scope": document.scope, "id": document.id, "version": document.version}
            yield _line({**head, "at": index.at, "tags": dict(index.tags), "size": len(document.body)})
            yield document.body + b"\n"
    for (stream, scope), records in content.streams.items():
        yield _line({"stream": stream, "scope": scope, "base": records.base, "size": records.end - records.base})
        yield b"".join([*records.pieces, b"\n"])


def _line(head: dict[str, Any]) -> bytes:
    return json.dumps(head).encode() + b"\n"


def unpack(data: bytes) -> Content:
    """The store of these bytes.

    Raises:
        ValueError: they are none, or damaged; says where.
    """
    body, end = data[:-_SUM], data[-_SUM:]
    if not data.startswith(_FIRST):
        raise ValueError("it is no store that was kept in memory")
    if end != b"end %08x\n\n\n\n" % crc32(body):
        raise ValueError("the checksum differs from the content")
    first, at = _head(body, len(_FIRST))
    content = Content(first["store"], first["last_version"])
    while at < len(body):
        head, at = _head(body, at)
        _add(content, head, body[at : at + head["size"]])
        at += head["size"] + 1
    return content


def _head(body: bytes, at: int) -> tuple[dict[str, Any], int]:
    end = body.index(b"\n", at)
    return json.loads(body[at:end]), end + 1


def _add(content: Content, head: dict[str, Any], data: bytes) -> None:
    scope = tuple(head["scope"])
    if "kind" in head:
        document = Document(scope, head["kind"], head["id"], data, Version(head["version"]))
        content.kinds.setdefault(head["kind"], Documents()).put(document, Index(head["at"], head["tags"]))
        return
    records = content.streams[head["stream"], scope] = Records(base=head["base"], end=head["base"])
    if data:
        records.append(data)
