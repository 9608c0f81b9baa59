"""Masking secrets in the text of JSON: what holds none keeps its spelling, its order and its numbers.

A secret is found in each spelling that says it: plain, with escapes, and inside a text that is JSON itself, however
deep. Nothing is taken apart as long as no secret and no name of a member can be in the bytes.
"""

from __future__ import annotations

import json
import re
from fnmatch import translate
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii

import msgspec

from prodigy_storage.model.dead_letters_signatures import signature
from prodigy_storage.model.redaction import LEAST, MASK, Redaction

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]|[^][{},"\s]+', re.DOTALL)
_COLON = re.compile(r"\s*:\s*")
_HALF = re.compile("[\ud800-\udfff]")
_PLACEHOLDER = re.compile("<[a-z]+>")
_SHORT = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_SPECIAL = frozenset('"/\\') | _SHORT.keys()
_KEPT = frozenset({"null", "true", "false"})
_COUNTS = frozenset({"input_tokens", "output_tokens", "cache_tokens"})
"""Members of events that count, whatever their names are like."""


class Redactor:
    """Masks what a `Redaction` says."""

    def __init__(self, redaction: Redaction) -> None:
        forms = sorted({form for secret in redaction.secrets for form in _forms(secret)}, key=len, reverse=True)
        pattern = "|".join(map(_spellings, forms)) or "(?!)"
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode())
        self._plain = [form.encode() for form in forms]
        self._escapes = b"\\" if any(_SPECIAL.intersection(form) for form in forms) else b"\\u"
        self._literals = [_literal(name) for name in redaction.names]
        name = re.compile("|".join(map(translate, redaction.names)) or "(?!)", re.IGNORECASE)
        self._is_named = lru_cache(maxsize=4096)(lambda key: name.match(key) is not None)

    def suspects(self, data: bytes, *, names: bool = True) -> bool:
        """Whether a secret, or a member whose value is masked, may be in the bytes: fast, and never wrongly no."""
        if any(form in data for form in self._plain):
            return True
        if self._plain and self._escapes in data and self._bytes.search(data):
            return True
        if not names or not self._literals:
            return False
        if not data.isascii() or b"\\u" in data:
            return True
        lowered = data.lower()
        return any(literal in lowered for literal in self._literals)

    def holds(self, text: str) -> bool:
        """Whether a secret is in a text."""
        return self._text.search(text) is not None

    def masked(self, data: bytes, *, names: bool = True) -> bytes:
        """One JSON value with everything masked that has to be. What is no JSON is masked as far as it is like it.

        Args:
            data: Its bytes.
            names: Whether members are masked for their names too.
        """
        try:
            text = data.decode()
            msgspec.json.decode(data, type=msgspec.Raw)
        except (ValueError, RecursionError):
            text = data.decode(errors="surrogateescape")
            return self._plainly(self._json(text, names=names)).encode(errors="surrogateescape")
        return self._json(text, names=names).encode()

    def _plainly(self, text: str) -> str:
        while self._text.search(text):  # what is left may be a secret again
            text = self._text.sub(MASK, text)
        return text

    def _json(self, text: str, *, names: bool) -> str:
        pieces: list[str] = []
        keys: dict[str, str] = {}
        place = 0
        while token := _STRING.search(text, place):
            colon = _COLON.match(text, token.end())
            pieces.append(text[place : token.start()])
            place = token.end()
            if colon is None:
                pieces.append(self._string(token.group()))
                continue
            pieces += self._key(token.group(), text, keys), colon.group()
            place = colon.end()
            key = _decoded(token.group())
            if names and self._is_named(key):
                start, place = place, _end(text, place)
                pieces.append(_hidden(key, text[start:place]))
        return "".join((*pieces, text[place:]))

    def _string(self, token: str) -> str:
        value = _decoded(token)
        return _quoted(self._plainly(value)) if self.holds(value) else token

    def _key(self, token: str, text: str, keys: dict[str, str]) -> str:
        """The name of a member; two names that differ do so afterwards too, in all of the text."""
        key = _decoded(token)
        if not self.holds(key):
            return token
        if key not in keys:
            taken = {*map(_decoded, _STRING.findall(text)), *keys.values()}
            name = bare = self._plainly(key)
            number = 1
            while name in taken or self.holds(name):
                number += 1
                name = f"{bare} ({number})"
            keys[key] = name
        return _quoted(keys[key])


def _forms(secret: str) -> set[str]:
    """A secret, and what is left of it in the signature of an error."""
    pattern = signature(secret) if secret.isprintable() else ""
    return {secret, pattern} if len(_PLACEHOLDER.sub("", pattern)) >= LEAST else {secret}


def _spellings(text: str) -> str:
    """A pattern for all that says a text, at any depth of JSON in JSON; linear also where backslashes are many.

    A match begins where a run of backslashes does, and what follows one in the secret needs no backslash of its own.
    """
    pieces = re.findall(r"\\+|[^\\]", text)
    leads = [r"(?<!\\)\\+", *("" if piece[0] == "\\" else r"\\+" for piece in pieces)]
    return "".join(map(_spelling, pieces, leads))


def _spelling(piece: str, lead: str) -> str:
    """A pattern for a character, or for a run of backslashes; `lead` is that of the backslashes before an escape."""
    if piece[0] == "\\":
        start = r"(?<!\\)" if lead.startswith("(") else ""
        return rf"{start}(?=\\{{{len(piece)}}}|\\+u(?i:005c))(?:\\++(?:u(?i:005c))?)+"
    data = piece.encode("utf-16-be")
    units = [data[place : place + 2].hex() for place in range(0, len(data), 2)]
    spellings = [re.escape(piece), lead + r"\\+".join(f"u(?i:{unit})" for unit in units)]
    if piece in _SHORT:
        spellings.append(lead + _SHORT[piece])
    elif piece in _SPECIAL:
        spellings.insert(0, lead + re.escape(piece))
    return f"(?:{'|'.join(spellings)})"


def _literal(name: str) -> bytes:
    """A text that every name has that the pattern fits, as long as it is ASCII; empty if that is hard to say."""
    if "[" in name:
        return b""
    return max(re.findall("[A-Za-z0-9_]+", name), key=len, default="").lower().encode()


def _decoded(token: str) -> str:
    inner = token[1:-1]
    if "\\" not in inner:
        return inner
    try:
        return str(json.loads(token, strict=False))
    except ValueError:  # the document is no JSON
        return inner


def _quoted(value: str) -> str:
    return encode_basestring_ascii(value) if _HALF.search(value) else encode_basestring(value)


def _hidden(key: str, value: str) -> str:
    if value in _KEPT or (key in _COUNTS and value.isdecimal()):
        return value
    return f'"{MASK}"'


def _end(text: str, place: int) -> int:
    """Where the value ends that begins there."""
    depth = 0
    for part in _PART.finditer(text, place):
        mark = part.group()[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth < 0 or (depth == 0 and mark == ","):
            return part.start()
        if depth == 0:
            return part.end()
    return len(text)
