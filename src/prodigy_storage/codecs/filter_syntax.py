"""From the filter language that people write to plain CEL.

CEL calls values of different types unequal where a person has made a mistake (`failure_count == '3'`). So `a == b`
becomes a call that looks at the types, `a != b` its negation, and `a contains b` becomes `(a).contains(b)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SAME = "same_"
"""The function that compares."""

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<word>[A-Za-z_]\w*)
    |(?P<number>(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)u?)
    |(?P<operator>==|!=|<=|>=|&&|\|\||.)""",
    re.DOTALL | re.VERBOSE,
)
_OPEN = {"(": ")", "[": "]", "{": "}"}
_SEPARATORS = frozenset({",", "?", ":", "&&", "||"})
_RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "contains"})


def rewritten(text: str) -> str:
    """The CEL expression that `text` stands for. What is no valid expression stays none."""
    tokens = [found.group() for found in _TOKEN.finditer(text) if found.lastgroup != "blank"]
    source = iter(tokens)
    parts = [_expression(source, "")]
    parts.extend(source)  # behind a bracket that nobody opened
    return " ".join(parts)


def _expression(tokens: Iterator[str], end: str) -> str:
    """What stands before `end`, the closing bracket included."""
    done: list[str] = []
    operands: list[list[str]] = [[]]
    relations: list[str] = []
    for token in tokens:
        if token == end:
            return " ".join((*done, _related(operands, relations), token))
        if token in _SEPARATORS:
            done += [_related(operands, relations), token]
            operands, relations = [[]], []
        elif token in _RELATIONS and not _is_member(operands[-1]):
            relations.append(token)
            operands.append([])
        elif token in _OPEN:
            operands[-1].append(f"{token} {_expression(tokens, _OPEN[token])}")
        else:
            operands[-1].append(token)
    return " ".join((*done, _related(operands, relations)))


def _is_member(operand: list[str]) -> bool:
    """Whether a word that follows is the name of a member or method."""
    return bool(operand) and operand[-1] == "."


def _related(operands: list[list[str]], relations: list[str]) -> str:
    left = " ".join(operands[0])
    for relation, operand in zip(relations, operands[1:], strict=True):
        right = " ".join(operand)
        if not left or not right:
            left = f"{left} {relation} {right}"
        elif relation in ("==", "!="):
            left = f"{'!' * (relation == '!=')}{SAME}({left}, {right})"
        elif relation == "contains":
            left = f"({left}).contains({right})"
        else:
            left = f"{left} {relation} {right}"
    return left
