"""The content of a backup: lines of JSON, each with the digest of what it carries, and a manifest at the end.

So a backup of one project with one session looks::

    {"prodigy_storage_backup": 1, "made_at": "…", "scope": ["shop"]}
    {"records": {"stream": "events", "scope": ["shop", "j1"], "sha256": "…", "text": "…"}}
    {"document": {"kind": "session", "scope": [], "id": "session-…", "sha256": "…", "text": "…"}}
    {"manifest": {"documents": {"session": 1}, "streams": [{"stream", "scope", "records", "sha256"}],
                  "damage": […], "sha256": "…"}}

`text` is the body or the lines, as they are stored; what is no UTF-8 has `base64` in its place. The digest of a stream
is that of all its lines in their order, the manifest's that of every byte before it. The entries come in the order in
which they are restored. The file is one or more zstd frames, so `zstd -dc FILE | head` shows it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import attrs

from prodigy_storage.errors import Corrupt, Unsupported
from prodigy_storage.ports.names import Scope, check_name, check_scope
from prodigy_storage.ports.storage import Damage, Index, Kind, Stream
from prodigy_storage.transfer.entries import Body, Contents, Entry, Piece
from prodigy_storage.transfer.manifest import Backup, Total

FORMAT = 1
_MAGIC = "prodigy_storage_backup"
_LINE_MAX = 1 << 30


def pack(carried: Iterable[Entry], *, scope: Scope, made_at: str, done: Callable[[Backup], None]) -> Iterator[bytes]:
    """The content of a backup.

    Args:
        carried: What goes in.
        scope, made_at: What the head says.
        done: Called at the end with what was written.
    """
    head = {_MAGIC: FORMAT, "made_at": made_at, "scope": list(scope)}
    total = Total()
    yield _line(head, total)
    for entry in carried:
        total.add(entry)
        if not isinstance(entry, Damage):
            yield _line(_encoded(entry), total)
    yield _line(total.manifest(head), total)
    done(total.backup(head))


def _line(value: dict[str, Any], total: Total) -> bytes:
    line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    total.whole.update(line)
    return line


def _encoded(entry: Body | Piece) -> dict[str, Any]:
    if isinstance(entry, Body):
        return {"document": {"kind": entry.kind.name, "scope": entry.scope, "id": entry.id, **_content(entry.body)}}
    return {"records": {"stream": entry.stream.name, "scope": entry.scope, **_content(entry.data)}}


def _content(data: bytes) -> dict[str, str]:
    digest = sha256(data).hexdigest()
    try:
        return {"sha256": digest, "text": data.decode()}
    except UnicodeDecodeError:
        return {"sha256": digest, "base64": b64encode(data).decode()}


def unpack(
    pieces: Iterable[bytes], contents: Contents, *, place: str, done: Callable[[Backup], None]
) -> Iterator[Entry]:
    """The entries of a backup, each verified; the inverse of `pack`.

    A kind or stream that `contents` does not know is carried without an index: its documents can be fetched, and a
    backend that derives the index when it reads, such as files, finds them as before.

    Args:
        pieces: The content.
        contents: The kinds and streams that are known.
        place: The file, for errors.
        done: Called at the end, when the manifest has confirmed the whole.

    Raises:
        Corrupt: it is no backup, or damaged; names the byte of the uncompressed content.
        Unsupported: it has a newer format.
    """
    known = _Known({kind.name: kind for kind in contents.kinds}, {stream.name: stream for stream in contents.streams})
    total = Total()
    head: dict[str, Any] | None = None
    ended = False
    for offset, line in _lines(pieces, place):
        if ended:
            raise _bad(place, offset, "there is something behind the manifest")
        entry: Entry | None = None
        with _reading(place, offset):
            value = json.loads(line)
            if head is None:
                head = _head(value, place)
            elif "manifest" in value:
                _confirm(value["manifest"], head, total)
                ended = True
            else:
                entry = known.decoded(value)
                total.add(entry)
        total.whole.update(line)
        if entry is not None:
            yield entry
    if head is None or not ended:
        raise _bad(place, None, "it ends before its manifest: the file was cut off" if head else "it is empty")
    done(total.backup(head))


def check(pieces: Iterable[bytes], *, place: str) -> Backup:
    """Read a backup to its end and verify every digest.

    Raises:
        Corrupt: it is no backup, or damaged.
        Unsupported: it has a newer format.
    """
    found: list[Backup] = []
    for _ in unpack(pieces, Contents(), place=place, done=found.append):
        pass
    return found[0]


@attrs.frozen
class _Known:
    kinds: dict[str, Kind]
    streams: dict[str, Stream]

    def decoded(self, value: dict[str, Any]) -> Body | Piece:
        """An entry; raises ValueError or KeyError for what is none."""
        if "document" in value:
            one = value["document"]
            kind = self.kinds.get(one["kind"]) or Kind(check_name(one["kind"]), lambda _: Index(0))
            return Body(kind, check_scope(tuple(one["scope"])), check_name(one["id"]), _verified(one))
        one = value["records"]
        stream = self.streams.get(one["stream"]) or Stream(check_name(one["stream"]), lambda _: 0)
        return Piece(stream, check_scope(tuple(one["scope"])), _verified(one))


def _verified(one: dict[str, Any]) -> bytes:
    data: bytes = one["text"].encode() if "text" in one else b64decode(one["base64"], validate=True)
    if sha256(data).hexdigest() != one["sha256"]:
        raise ValueError("its content differs from its digest")
    return data


def _head(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get(_MAGIC), int):
        raise ValueError("this is no backup of a store")  # noqa: TRY004  # what is wrong is a file, not a call
    if value[_MAGIC] > FORMAT:
        raise Unsupported(f"{place} has format {value[_MAGIC]}; this version knows up to {FORMAT}", hint="upgrade")
    check_scope(tuple(value["scope"]))
    return {**value, "made_at": str(value["made_at"])}


def _confirm(said: dict[str, Any], head: dict[str, Any], total: Total) -> None:
    total.damage = [Damage(**one) for one in said["damage"]]
    wanted = json.loads(json.dumps(total.manifest(head)["manifest"]))
    if said != wanted:
        parts = [name for name in wanted if said.get(name) != wanted[name]]
        raise ValueError(f"the manifest differs from the content: {', '.join(parts)}")


@contextmanager
def _reading(place: str, offset: int) -> Iterator[None]:
    """Turn whatever is wrong with a line into `Corrupt`."""
    try:
        yield
    except Corrupt:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(place, offset, f"{error} is missing" if isinstance(error, KeyError) else str(error)) from error


def _bad(place: str, offset: int | None, reason: str) -> Corrupt:
    at = "" if offset is None else f"byte {offset} of the content: "
    return Corrupt(f"{place}: {at}{reason}", place=place, offset=offset, reason=reason, hint="Nothing was restored.")


def _lines(pieces: Iterable[bytes], place: str) -> Iterator[tuple[int, bytes]]:
    """Each line with its newline, and where it begins."""
    offset = size = 0
    waiting: list[bytes] = []
    for piece in pieces:
        *ends, rest = piece.split(b"\n")
        for end in ends:
            line = b"".join((*waiting, end, b"\n"))
            yield offset, line
            offset += len(line)
            waiting, size = [], 0
        waiting.append(rest)
        size += len(rest)
        if size > _LINE_MAX:
            raise _bad(place, offset, f"a line has more than {_LINE_MAX} bytes")
    if size:
        raise _bad(place, offset, "it ends in the middle of a line: the file was cut off")
