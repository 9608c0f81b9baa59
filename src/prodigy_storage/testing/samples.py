"""What the kit stores: a kind with tags, a kind without, two streams, and names and bodies chosen to hurt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prodigy_storage.errors import Corrupt
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Cursor, Document, Index, Kind, Position, Query, Storage, Stream, Version

T = TypeVar("T")

PAGES = 10_000
"""More pages or chunks than any test here can need: a walk that goes on longer goes round in circles."""


def index_note(body: bytes) -> Index:
    """The index of a note: its members `at` and `tags`."""
    try:
        note = json.loads(body)
        return Index(note["at"], note["tags"])
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("this is no note", reason="no note") from error


def index_blob(body: bytes) -> Index:
    """The index of a body that may hold anything: its size."""
    return Index(len(body))


def at_of_line(line: bytes) -> int:
    """The time of a record: its member `at`."""
    return int(json.loads(line)["at"])


NOTE = Kind("kit-note", index_note, ("colour", "shape"))
BLOB = Kind("kit-blob", index_blob)
LOG = Stream("kit-log", at_of_line)
TRAIL = Stream("kit-trail", at_of_line)

SCOPES: tuple[Scope, ...] = ((), ("shop",), ("shop", "job"), ("shop", "job-2"), ("shops",), ("api", "job"))


def note(text: str = "", *, at: int = 0, tags: Mapping[str, str] | None = None) -> bytes:
    """The body of a note."""
    return json.dumps({"at": at, "tags": dict(tags or {}), "text": text}).encode()


def line(number: int, *, at: int = 0, text: str = "") -> bytes:
    """A record with a number of its own."""
    return json.dumps({"n": number, "at": at, "text": text}, separators=(",", ":")).encode() + b"\n"


def lines(numbers: Iterable[int]) -> bytes:
    """One record for each number."""
    return b"".join(line(number) for number in numbers)


def numbers_in(data: bytes) -> list[int]:
    """The numbers of the records in a buffer."""
    assert not data or data.endswith(b"\n"), "a chunk ends inside a record"
    return [json.loads(piece)["n"] for piece in data.split(b"\n")[:-1]]


def walk(storage: Storage, query: Query, after: Position | None = None) -> Iterator[Document]:
    """Every document of a walk."""
    for _ in range(PAGES):
        page = storage.documents(query, after)
        assert len(page.documents) <= query.limit, "a page is longer than its limit"
        yield from page.documents
        if page.next is None:
            return
        assert after is None or page.next > after, "a walk does not move on"
        after = page.next
    raise AssertionError("the walk does not end")


def read(storage: Storage, scope: Scope, stream: Stream, after: Cursor | None = None) -> tuple[bytes, Cursor]:
    """Every record behind a cursor, and the cursor behind them."""
    pieces: list[bytes] = []
    for _ in range(PAGES):
        chunk = storage.records(scope, stream, after)
        after = chunk.cursor
        if not chunk.data:
            return b"".join(pieces), after
        pieces.append(chunk.data)
    raise AssertionError("the stream does not end")


def numbers(
    storage: Storage, scope: Scope = (), stream: Stream = LOG, after: Cursor | None = None
) -> tuple[list[int], Cursor]:
    """The numbers of the records behind a cursor, and the cursor behind them."""
    data, cursor = read(storage, scope, stream, after)
    return numbers_in(data), cursor


def body_of(storage: Storage, scope: Scope, kind: Kind, id_: str) -> bytes | None:
    """The body of a document; None if there is none."""
    document = storage.fetch(scope, kind, [id_], fresh=True).get(id_)
    return document.body if document else None


def version_of(storage: Storage, scope: Scope, kind: Kind, id_: str) -> Version:
    """The version of a document that exists."""
    return storage.fetch(scope, kind, [id_], fresh=True)[id_].version


def everything(storage: Storage) -> dict[str, object]:
    """All that can be read in the scopes of the kit, to be compared."""
    return {
        "documents": [list(walk(storage, Query(kind))) for kind in (NOTE, BLOB)],
        "records": {(s, scope): read(storage, scope, s)[0] for s in (LOG, TRAIL) for scope in SCOPES},
        "scopes": [list(storage.scopes(of)) for of in (NOTE, BLOB, LOG, TRAIL)],
    }


PLAIN_NAMES = ("a", "A", "job-1", "run_2", "v1.2", "two words", "été", "日本語", "x" * 60)
"""Names that every backend must store."""

HOSTILE_NAMES = (
    *PLAIN_NAMES,
    *("..", ".", "...", "/", "//", "a/b", "../../etc/passwd", "/abs", "a/", "\\", "a\\b", "C:", "C:\\x"),
    *(" ", " a", "a ", "a.", ".a", "-rf", "~", "~root", "*", "?", "[a]", "{a}", "|", ";", "&", "$HOME", "`id`"),
    *("%", "%%", "%2e%2e", "%2F", "%00", "+", "=", "#", "@", ":", ",", "'", '"', "<>", "!", "^", "\u0085"),
    *("a.json", "a.lock", "a.tmp", "a.jsonl", ".store", "items", "CON", "nul", "aux.txt", "__proto__", "null"),
    *("\n", "a\nb", "\r", "\t", "\x01", "\x1f", "\x7f", "\u2028", "\u202e", "\ufeff", "\uffff", "\U0010ffff"),
    *(
        "e\u0301",
        "\u00e9",
        "\u212b",
        "\u00c5",
        "ﬁ",
        "ß",
        "SS",
        "ss",
        "İ",
        "ı",
        "I",
        "i",
        "👩‍👩‍👧",
        "x" * 250,
        "é" * 125,
    ),
)
"""Names that a backend stores, each apart from all others, or refuses with `InvalidName` before any write."""

REFUSED_NAMES = ("", "\0", "a\0b", "\ud800", "a\udfff", "x" * 251, "é" * 126, "y" * 300)
"""Names that no backend may store."""

HOSTILE_BODIES = (
    *(b"", b"\0", b"\0" * 5000, b"\n", b"\r\n", b"\n\n", b" ", b"{}", b"{}\n", b"null", b'{"a":1', b"\xff\xfe"),
    *(bytes(range(256)), b"\xef\xbb\xbf{}", b"\xed\xa0\x80", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 3000),
    *(b'{"a":1,"_crc":123}', b'{"a":1,"_crc":123}\n', b"(\xb5/\xfd", b"\x1f\x8b", b"x" * 3_000_000),
)
"""Bodies that come back byte for byte."""

HOSTILE_RECORDS = (
    *(
        b"{}\n",
        b'{"a":1}\n',
        b'{"_crc":5}\n',
        b'{"_seq":1,"a":2}\n',
        b'{"a":1,"_seq":7}\n',
        b'{"a":1,"_seq":0,"_crc":5}\n',
        b'{"a":\t1}\n',
        b'{"a":{"_crc":5}}\n',
    ),
    *(b'{"a":1,"b":{"x":1,"_crc":5}}\n', b'{"a":"\\",\\"_crc\\":5}"}\n', b'{"a":1,"_crc":5,"b":2}\n'),
    *(b'{"a":"\\n\\u0000\\u2028"}\n', b'{"a":"\xe2\x80\xa8\xc2\x85"}\n', b'{"_crc":"x","a":"\xc2\xa0"}\n'),
    *(b'{"a":"\xf0\x9f\x91\xa9"}\n', b'{"":""}\n', b'{"a":"' + b"y" * 1_200_000 + b'"}\n', b'{"a":1e400}\n'),
    *(b'{"a":"_crc"}\n', b'{"a":[{"b":"}"}]}\n'),
)
"""Records that come back byte for byte. Splitting at anything but a newline byte, or looking for the members of
the store anywhere but at the end, breaks them."""
