"""Redaction: wherever a secret stands, and however it is spelled, no stored text says it; the rest is unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.dialects import redacting
from prodigy_storage.codecs.streams import stream
from prodigy_storage.codecs.trees import parse, seal, verify
from prodigy_storage.model.redaction import Redaction
from prodigy_storage.ports.storage import Append, Batch, Index, Kind, Put

NOTE = Kind("note", lambda _: Index(0))
LINES = stream("lines", time="at")
SECRETS = ["wxyz", 'wä"s\\s/éw', "q\U0001f511\n\tq", "w w--w"]
NAMES = ["*_TOKEN", "*password*"]
REDACTION = Redaction(secrets=SECRETS, names=NAMES)
FILLERS = ["", "a", '"', "\\", "/", "\n", "é", "\U0001f511", "***", "\\u00", "\ud800", "wxy", "\x00"]
KEYS = ["api_TOKEN", "My Password", "x_token"]
NUMBERS = [None, True, False, 0, -1, 2**70, 1.5, 1e300, -0.0]


class Planting:
    """Makes values with secrets in them together with what they shall become: (value, wanted)."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def text(self) -> tuple[str, str]:
        parts = self.random.choices([*FILLERS, *SECRETS], k=self.random.randrange(5))
        parts = [piece for part in parts for piece in (part, " ")]  # so that two parts never make a secret
        value, wanted = "".join(parts), "".join("***" if part in SECRETS else part for part in parts)
        for _ in range(self.random.choice([0, 0, 1, 2])):
            ascii_only = self.random.random() < 0.5
            value, wanted = (json.dumps(text, ensure_ascii=ascii_only) for text in (value, wanted))
        return value, wanted

    def value(self, depth: int = 0) -> tuple[Any, Any]:
        shape = self.random.choice("ttnao" if depth < 4 else "tn")
        if shape == "t":
            return self.text()
        if shape == "n":
            return (self.random.choice(NUMBERS),) * 2
        if shape == "a":
            pairs = [self.value(depth + 1) for _ in range(self.random.randrange(4))]
            return [one for one, _ in pairs], [other for _, other in pairs]
        return self.object(depth)

    def object(self, depth: int = 0) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
        found: dict[str, tuple[Any, tuple[str, Any]]] = {}
        for _ in range(self.random.randrange(1, 4)):
            key, shown = (self.random.choice(KEYS),) * 2 if self.random.random() < 0.3 else self.text()
            value, wanted = self.value(depth + 1)
            if key in KEYS and not (value is None or isinstance(value, bool)):
                wanted = "***"
            found[key] = (value, (shown, wanted))
        return {key: value for key, (value, _) in found.items()}, [pair for _, pair in found.values()]

    def spelled(self, value: Any) -> str:
        """JSON with any character of a text as itself or as an escape."""
        if isinstance(value, dict):
            return "{" + ",".join(f"{self.spelled(key)}: {self.spelled(one)}" for key, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + " ,".join(map(self.spelled, value)) + "]"
        if not isinstance(value, str):
            return json.dumps(value)
        return '"' + "".join(map(self.character, value)) + '"'

    def character(self, one: str) -> str:
        if "\ud800" <= one <= "\udfff" or self.random.random() < 0.2:
            data = one.encode("utf-16-be", "surrogatepass").hex()
            return "".join("\\u" + data[place : place + 4] for place in range(0, len(data), 4))
        return json.dumps(one, ensure_ascii=self.random.random() < 0.5)[1:-1]


def check(found: Any, wanted: Any) -> None:
    """Compare what was stored with what was wanted; the name of a member that was masked may have a number."""
    if not isinstance(found, dict):
        if isinstance(found, list):
            assert len(found) == len(wanted)
            for one, other in zip(found, wanted, strict=True):
                check(one, other)
        else:
            assert (type(found), repr(found)) == (type(wanted), repr(wanted))
        return
    assert len(found) == len(wanted)
    for (name, one), (shown, other) in zip(found.items(), wanted, strict=True):
        assert name == shown or ("***" in shown and re.fullmatch(re.escape(shown) + r" \(\d+\)", name))
        check(one, other)


def texts(value: Any) -> Iterator[str]:
    """Every text in a value, and what it would be as a part of JSON in JSON."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from (*texts(key), *texts(one))
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        for _ in range(4):
            yield value
            plain = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", unescaped, value, flags=re.DOTALL)
            value = plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def unescaped(escape: re.Match[str]) -> str:
    try:
        return str(json.loads(f'"{escape[0]}"'))
    except ValueError:
        return escape[1]


def sound(body: bytes, wanted: list[tuple[str, Any]]) -> None:
    """Assert that a body says what it shall and no secret."""
    tree = parse(verify(body))
    check(tree, wanted)
    assert not any(secret in text for text in texts(tree) for secret in SECRETS)


@given(st.integers(0, 2**64), st.booleans())
def test_a_stored_document_says_no_secret_and_all_else(seed, ours):
    """Documents with secrets at any place verify, load, and differ in nothing else."""
    planting = Planting(Random(seed))  # values to try, not secrets
    value, wanted = planting.object()
    body = planting.spelled(value).encode()
    memory = MemoryStorage()
    storage = redacting(memory, REDACTION)
    receipt = storage.commit(Batch((), [Put(NOTE, "a", seal(body, pretty=False) if ours else body)]))
    document = memory.fetch((), NOTE, ["a"])["a"]
    sound(document.body, wanted)
    assert document.version == receipt.versions["note", "a"]
    assert (b"_crc" in document.body) is ours
    storage.commit(Batch((), [Put(NOTE, "a", document.body)]))
    assert memory.fetch((), NOTE, ["a"])["a"].body == document.body


@given(st.integers(0, 2**64))
def test_stored_records_say_no_secret_and_all_else(seed):
    """Records with secrets at any place stay one line each, in order, and differ in nothing else."""
    planting = Planting(Random(seed))  # values to try, not secrets
    pairs = [planting.object() for _ in range(3)]
    data = b"".join(planting.spelled(value).encode() + b"\n" for value, _ in pairs)
    memory = MemoryStorage()
    redacting(memory, REDACTION).commit(Batch(("r",), [Append(LINES, data)]))
    lines = memory.records(("r",), LINES).data.split(b"\n")[:-1]
    assert len(lines) == len(pairs)
    for line, (_, wanted) in zip(lines, pairs, strict=True):
        sound(line, wanted)
