"""The filter language of dead letters: CEL, with an infix `contains`, strict about names and types.

The only module that uses the library `cel`, which the extra `filters` brings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prodigy_storage.codecs.filter_syntax import SAME, rewritten
from prodigy_storage.errors import InvalidFilter, Unsupported
from prodigy_storage.model.dead_letters import DeadLetter

Predicate = Callable[[DeadLetter], bool]

FIELDS: Mapping[str, Callable[[DeadLetter], Any]] = {
    "item": lambda letter: letter.item_data,
    "item_id": lambda letter: letter.item_id,
    "failure_count": lambda letter: letter.failure_count,
    "error_signature": lambda letter: letter.error_signature,
    "error_type": lambda letter: str(letter.error_type),
    "error_message": lambda letter: letter.error_message,
    "reprocess_eligible": lambda letter: letter.reprocess_eligible,
    "manual_review_required": lambda letter: letter.manual_review_required,
    "first_attempt": lambda letter: letter.first_attempt,
    "last_attempt": lambda letter: letter.last_attempt,
}
"""What an expression can name. Times are timestamps: `last_attempt > timestamp('2025-01-31T00:00:00Z')`."""

_FUNCTIONS = frozenset(
    [
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "size",
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "bool",
        "timestamp",
        "duration",
        "type",
        "dyn",
        "getFullYear",
        "getMonth",
        "getDayOfYear",
        "getDayOfMonth",
        "getDate",
        "getDayOfWeek",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
        "min",
        "max",
    ]
) | {SAME}
_FAMILIES: tuple[type | tuple[type, ...], ...] = (bool, (int, float), str, bytes, list, dict)
_BOUND = re.compile(r"\b(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_REASON = re.compile(r"Syntax error: (.*)")


def compiled(text: str) -> Predicate:
    """A function that tells whether a dead letter matches.

    Args:
        text: A CEL expression over `FIELDS` that gives true or false.

    Returns:
        The function. It raises `InvalidFilter` for a letter to which the expression cannot be applied: it compares
        values of different types, names a member that the item does not have (unless `has()` asks first), or gives
        neither true nor false.

    Raises:
        InvalidFilter: the expression cannot be parsed, or names something unknown.
        Unsupported: the extra `filters` is not installed.
    """
    cel = _library()
    program = _program(cel, text)

    def matches(letter: DeadLetter) -> bool:
        unequal: list[str] = []

        def same(left: Any, right: Any) -> bool:
            if _family(left) != _family(right) and None not in (left, right):
                unequal.append(f"it compares {_shown(left)} with {_shown(right)}")
            return bool(left == right)

        try:
            context = cel.Context({name: get(letter) for name, get in FIELDS.items()}, {SAME: same})
            found = program.execute(context)
        except Exception as error:  # the library raises builtins of many types
            raise _inapplicable(text, letter, _reason(error)) from error
        if unequal:
            raise _inapplicable(text, letter, unequal[0])
        if not isinstance(found, bool):
            raise _inapplicable(text, letter, f"it gives {_shown(found)}, neither true nor false")
        return found

    return matches


def _library() -> Any:
    try:
        import cel  # noqa: PLC0415  # an extra, loaded when a filter is used
    except ImportError as error:
        raise Unsupported(
            "filters need an extra that is not installed", hint="pip install 'prodigy-storage[filters]'"
        ) from error
    return cel


def _program(cel: Any, text: str) -> Any:
    try:
        program = cel.compile(rewritten(text))
    except Exception as error:
        raise InvalidFilter(f"the filter {text!r} cannot be parsed: {_reason(error)}", hint=_HINT) from error
    for name in _unknown(program.variables(), frozenset(FIELDS).union(_BOUND.findall(text))):
        raise InvalidFilter(f"the filter {text!r} names {name}, which is unknown", hint=_HINT)
    for name in _unknown(program.functions(), _FUNCTIONS):
        raise InvalidFilter(f"the filter {text!r} calls {name}(), which is unknown", hint=_HINT)
    return program


_HINT = f"A filter is a CEL expression over {', '.join(FIELDS)}: failure_count > 2 && item.kind == 'image'"


def _unknown(names: Any, known: frozenset[str]) -> Iterator[str]:
    return (name for name in names if name not in known and re.fullmatch(r"[A-Za-z_]\w*", name))


def _family(value: Any) -> int | type:
    return next((number for number, types in enumerate(_FAMILIES) if isinstance(value, types)), type(value))


def _shown(value: Any) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return f"{names.get(type(value), type(value).__name__)} ({value!r:.40})"


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no member {error.args[0]!r}; ask for it first: has(item.{error.args[0]})"
    syntax = _REASON.search(str(error))
    if syntax:
        return syntax.group(1)[:200]
    if "No such overload" in str(error):
        return "an operation is not defined for the types of its operands"
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:200]


def _inapplicable(text: str, letter: DeadLetter, reason: str) -> InvalidFilter:
    return InvalidFilter(
        f"the filter {text!r} cannot be applied to {letter.item_id}: {reason}", hint=_HINT, item=letter.item_id
    )
