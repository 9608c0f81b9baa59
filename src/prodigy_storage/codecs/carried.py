"""Checkpoints of a job in one file: a line that says whose, one for each, and one with the digest of all before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import attrs
import msgspec

from prodigy_storage.codecs.trees import damaged
from prodigy_storage.ports.storage import Document

FORMAT = "prodigy-storage checkpoints 1"
S = TypeVar("S", bound=msgspec.Struct)


class _Head(msgspec.Struct):
    format: str
    repo: str
    job_id: str
    count: int


class _One(msgspec.Struct):
    id: str
    sha256: str
    body: str


class _Tail(msgspec.Struct):
    sha256: str


@attrs.frozen(kw_only=True)
class Carried:
    """What a file holds: the bodies of a job's checkpoints by their ids."""

    repo: str
    job_id: str
    bodies: Mapping[str, bytes]


def carry(repo: str, job: str, documents: Sequence[Document]) -> Iterator[bytes]:
    """The lines of a file."""
    digest = hashlib.sha256()
    for struct in (_Head(FORMAT, repo, job, len(documents)), *map(_one, documents)):
        line = msgspec.json.encode(struct) + b"\n"
        digest.update(line)
        yield line
    yield msgspec.json.encode(_Tail(digest.hexdigest())) + b"\n"


def _one(document: Document) -> _One:
    return _One(document.id, hashlib.sha256(document.body).hexdigest(), document.body.decode())


def carried(lines: Iterable[bytes]) -> Carried:
    """The inverse of `carry`.

    Raises:
        Corrupt: it is no such file, it is incomplete, or a digest differs.
    """
    digest = hashlib.sha256()
    head: _Head | None = None
    bodies: dict[str, bytes] = {}
    complete = False
    for number, line in enumerate(lines, start=1):
        _check(not complete, f"line {number} is behind its end")
        if head is None:
            head = _decoded(_Head, line, number)
            _check(head.format == FORMAT, f"its format is {head.format!r:.60}, not {FORMAT!r}")
        elif len(bodies) < head.count:
            one = _decoded(_One, line, number)
            _check(one.id not in bodies, f"it has {one.id} twice")
            bodies[one.id] = _body(one)
        else:
            complete = True
            _check(_decoded(_Tail, line, number).sha256 == digest.hexdigest(), "its digest differs from its content")
        digest.update(line)
    if head is None or not complete:
        raise damaged("the file", None, "it is incomplete")
    return Carried(repo=head.repo, job_id=head.job_id, bodies=bodies)


def _body(one: _One) -> bytes:
    body = one.body.encode()
    _check(hashlib.sha256(body).hexdigest() == one.sha256, f"the digest of {one.id} differs")
    return body


def _decoded(cls: type[S], line: bytes, number: int) -> S:
    try:
        return msgspec.json.decode(line, type=cls)
    except msgspec.MsgspecError as error:
        raise damaged("the file", None, f"line {number} is none of an exported checkpoint: {error}") from error


def _check(holds: bool, reason: str) -> None:  # noqa: FBT001  # the condition is what it is called with
    if not holds:
        raise damaged("the file", None, reason)
