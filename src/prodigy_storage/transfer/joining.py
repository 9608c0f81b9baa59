"""Bringing a stream into a store that may have some of it: what is missing is appended, nothing twice.

Records have no common key, and a reader of several writers meets them in an order that changes while they write. So
what the target has is compared, not remembered: as long as both streams begin alike, byte for byte and in constant
memory; from the first difference on by the digests of the records that are left in the target (16 bytes and their
housekeeping for each). A record that the source has n times is n times in the target afterwards. Order is kept
among what is appended. So a copy that was killed goes on where it stood, records that the source has trimmed since
do no harm, and a target that has gone on by itself keeps what it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from prodigy_storage.codecs.dialects import said_lines
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Append, Batch, Cursor, Damage, Durability, Storage, Stream
from prodigy_storage.transfer.report import Report


class Joining:
    """One stream of one scope on its way into a target.

    Args:
        target: Where it goes.
        stream, scope: Which one.
        report: What happens is counted here.
        dry_run: Count only.
    """

    def __init__(self, target: Storage, stream: Stream, scope: Scope, report: Report, *, dry_run: bool = False) -> None:
        self.stream = stream
        self.scope = scope
        self._target = target
        self._report = report
        self._dry_run = dry_run
        self._cursor: Cursor | None = None
        self._ahead = b""
        self._left: Counter[bytes] | None = None
        self._chunks = self._read()

    def add(self, data: bytes) -> None:
        """Take the next lines of the source, and append what the target does not have.

        Raises:
            Corrupt: what was appended does not come back when it is read.
            InvalidValue: a secret stands where none may.
        """
        data = said_lines(self._target, self.stream, data)
        while len(self._ahead) < len(data) and (chunk := next(self._chunks, b"")):
            self._ahead += chunk
        if self._left is None and self._ahead.startswith(data):
            self._ahead = self._ahead[len(data) :]
            self._report.known += data.count(b"\n")
            return
        lines = self._storable(data)
        missing = [line for line in lines if not self._has(line)]
        self._report.known += len(lines) - len(missing)
        if missing:
            self._append(missing)

    def _read(self) -> Iterator[bytes]:
        """What the target has, from its beginning, or from the last cursor on."""
        while True:
            chunk = self._target.records(self.scope, self.stream, self._cursor)
            self._cursor = chunk.cursor
            if not chunk.data:
                return
            yield chunk.data

    def _storable(self, data: bytes) -> list[bytes]:
        """The lines that can be appended; the others are reported."""
        lines = _lines(data)
        if self._refused(lines) is None:
            return lines
        refusals = [(line, self._refused([line])) for line in lines]
        place = "/".join((self.stream.name, *self.scope))
        self._report.damage.extend(Damage(place, None, f"{why}: {line[:40]!r}") for line, why in refusals if why)
        return [line for line, why in refusals if why is None]

    def _refused(self, lines: list[bytes]) -> InvalidValue | None:
        if not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
            return InvalidValue("no JSON object")
        try:
            Batch(self.scope, [Append(self.stream, _joined(lines))] if lines else [])
        except InvalidValue as error:
            return error
        return None

    def _has(self, line: bytes) -> bool:
        if self._left is None:
            self._left = Counter(map(_digest, _lines(self._ahead)))
            for chunk in self._chunks:
                self._left.update(map(_digest, _lines(chunk)))
            self._ahead = b""
        digest = _digest(line)
        found = self._left[digest] > 0
        if found:
            self._left[digest] -= 1
        return found

    def _append(self, lines: list[bytes]) -> None:
        data = _joined(lines)
        if not self._dry_run:
            self._target.commit(Batch(self.scope, [Append(self.stream, data)], Durability.GROUP))
            self._verify(lines)
        self._report.records += len(lines)
        self._report.bytes += len(data)

    def _verify(self, lines: Iterable[bytes]) -> None:
        """Read on behind what the target had: every line has to be there; others may write in between."""
        wanted = Counter(lines)
        for chunk in self._read():
            wanted -= Counter(_lines(chunk))
            if not wanted:
                return
        if wanted:
            place = "/".join((self.stream.name, *self.scope))
            raise Corrupt(
                f"{place}: {wanted.total()} of the records that were appended do not come back",
                place=place,
                reason="records that were appended do not come back",
            )


def _lines(data: bytes) -> list[bytes]:
    """The records; blanks around one are no part of it."""
    return [text for line in data.split(b"\n") if (text := line.strip())]


def _joined(lines: list[bytes]) -> bytes:
    return b"\n".join((*lines, b""))


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=16).digest()
