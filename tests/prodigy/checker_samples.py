"""One small document of each kind with every field, and what can be done to its values: each change breaks one thing."""

from __future__ import annotations

import json
from pathlib import Path

SAMPLES = json.loads((Path(__file__).parent / "samples.json").read_text("utf-8"))
"""By kind; behind a slash the member that this sample is about, and behind another one what it holds."""

CHANGES = {
    "null": "null",
    "true": "true",
    "text": '"x"',
    "list": "[]",
    "object": "{}",
    "zero": "0",
    "minus": "-1",
    "2^31": str(2**31),
    "2^32": str(2**32),
    "2^63": str(2**63),
    "2^64": str(2**64),
    "fraction": "1.0",
    "power": "1e2",
    "minus-zero": "-0",
    "1e39": "1e39",
    "1e400": "1e400",
    "surrogate": '"\\ud800"',
    "deep": "[" * 128 + "]" * 128,
}
"""What a value is replaced by; beside these, a member is left out, and put there a second time."""


def places(value, path=()):
    """The path of every value inside, containers included; of lists only the first element."""
    members = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, inner in members:
        yield (*path, key)
        yield from places(inner, (*path, key))


def spelled(path):
    """The path as people write it."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def changed(value, path, text):
    """The document as JSON text, with the value at `path` replaced by a text; None leaves the value out."""
    if not path:
        return text
    key, *rest = path
    members = value.items() if isinstance(value, dict) else enumerate(value)
    parts = []
    for name, inner in members:
        part = changed(inner, rest, text) if name == key else json.dumps(inner)
        if part is not None:
            parts.append(part if isinstance(value, list) else f"{json.dumps(name)}:{part}")
    return f"[{','.join(parts)}]" if isinstance(value, list) else f"{{{','.join(parts)}}}"


def repeated(value, path):
    """The document with the member at `path` twice; None if an element of a list stands there."""
    if isinstance(path[-1], int):
        return None
    inner = value
    for key in path:
        inner = inner[key]
    name = json.dumps(path[-1])
    return changed(value, path, f"{json.dumps(inner)},{name}:{json.dumps(inner)}")


def damages(name):
    """Every change of a sample: the path, what was done, and the text that it became."""
    value = SAMPLES[name]
    _, *focus = name.split("/")
    for path in places(value):
        if focus and path[0] != focus[0]:
            continue
        yield spelled(path), "left out", changed(value, path, None)
        twice = repeated(value, path)
        if twice:
            yield spelled(path), "twice", twice
        for change, text in CHANGES.items():
            yield spelled(path), change, changed(value, path, text)
