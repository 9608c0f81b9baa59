"""Documents as the checker sees them: a tree that keeps what a parser usually throws away.

Duplicate keys, the spelling of numbers, lone surrogates and the level of nesting are still there, because what the
real program makes of them depends on where they stand.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import yaml

_TOKEN = re.compile(
    r"[ \t\n\r]*(?:"
    r'(?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>true|false|null)"
    r"|(?P<mark>[][{}:,]))"
)
_BLANK = re.compile(r"[ \t\n\r]*")


class Offence(Exception):
    """The first thing that the real program would not accept: where it stands, and what is wrong with it."""

    def __init__(self, path, why):
        super().__init__(f"{path or 'document'}: {why}")


@dataclass
class Node:
    """A value: its form, its content, and for containers how deep they stand (1 is the outermost).

    The form is object, array, text, number, boolean or null. The content of an object is a list of pairs, of a number
    its spelling, of a text the text, surrogates included.
    """

    form: str
    content: object
    level: int = 0


def read_json(data):
    """The tree of a JSON document; blanks may surround it, nothing else.

    Raises:
        Offence: It is no JSON as the program's parser reads it.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Offence("", f"not UTF-8 at byte {error.start}") from None
    reader = _Reader(text)
    node = reader.document()
    end = _BLANK.match(text, reader.at).end()
    if end != len(text):
        raise Offence("", f"something follows at character {end}")
    return node


class _Reader:
    """Reads without recursion, since values that the program ignores may be nested as deep as they like."""

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.open = []

    def token(self):
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            raise Offence("", f"no JSON at character {self.at}")
        self.at = found.end()
        return found.lastgroup, found[found.lastgroup]

    def document(self):
        done = self.value(*self.token())
        while self.open:
            container = self.open[-1]
            done = self.member(container, done)
        return done

    def member(self, container, done):
        """Take the next step inside the innermost container; the value that was completed, if any."""
        closing = "}" if container.form == "object" else "]"
        kind, token = self.token()
        if kind == "mark" and token == closing:
            self.open.pop()
            return container
        if container.content:
            self.expect(kind, token, ",")
            kind, token = self.token()
        key = None
        if container.form == "object":
            if kind != "text":
                raise Offence("", f"no key at character {self.at}")
            key = json.loads(token)
            self.expect(*self.token(), ":")
            kind, token = self.token()
        value = self.value(kind, token)
        container.content.append(value if key is None else (key, value))
        return done

    def expect(self, kind, token, mark):
        if kind != "mark" or token != mark:
            raise Offence("", f"no {mark!r} before character {self.at}")

    def value(self, kind, token):
        if kind == "text":
            return Node("text", json.loads(token))
        if kind == "number":
            return Node("number", token)
        if kind == "word":
            return Node("null", None) if token == "null" else Node("boolean", token == "true")
        if token not in "{[":
            raise Offence("", f"no value before character {self.at}")
        node = Node("object" if token == "{" else "array", [], len(self.open) + 1)
        self.open.append(node)
        return node


def read_yaml(data):
    """The tree of a YAML document, as far as configuration files use the language."""
    try:
        return _yaml(yaml.compose(data.decode(), Loader=yaml.SafeLoader), 1)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise Offence("", f"no YAML: {error}") from None


def _yaml(node, level):
    if isinstance(node, yaml.MappingNode):
        return Node("object", [(key.value, _yaml(value, level + 1)) for key, value in node.value], level)
    if isinstance(node, yaml.SequenceNode):
        return Node("array", [_yaml(value, level + 1) for value in node.value], level)
    if node is None or (node.style is None and node.value in {"", "~", "null"}):
        return Node("null", None)
    if node.style is None and node.value in {"true", "false"}:
        return Node("boolean", node.value == "true")
    if node.style is None and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", node.value):
        return Node("number", node.value)
    return Node("text", node.value)
