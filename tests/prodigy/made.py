"""Values of any class of the model, made by Hypothesis from its annotations, edge values included."""

from __future__ import annotations

import enum
import json
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
from hypothesis import strategies as st

from prodigy_storage.model.dead_letters_signatures import ErrorType
from prodigy_storage.model.prodigy.values import Cases, Human, Tagged, Whole, Words
from prodigy_storage.model.sessions import Timing
from prodigy_storage.model.values import Duration

U32 = 2**32 - 1
U64 = 2**64 - 1
SHORT = {"attempt", "checkpoint_version", "version", "failure_count", "attempt_number"}
SHORT |= {"iterations_completed", "files_changed"}
OURS = {("Session", "repo"), ("Session", "epoch"), ("DeadLetter", "claim"), ("Failure", "session_id")}
"""Additions of ours, which the program drops."""

STRANGE = ["", " ", "ß\u2028\ufeff", "\x00\x1f\x7f\x85", "\U0001d518\U0010ffff", '"\\/', "x" * 5000, "null", "-0"]
texts = st.one_of(st.text(max_size=12), st.sampled_from(STRANGE))
keys = st.one_of(
    st.text(max_size=6), st.sampled_from(["", "Z", "a", "é", "e\u0301", "\uffff", "\U00010000", "10", "9"])
)


def whole(low, high):
    """Integers with a liking for both ends."""
    return st.one_of(st.integers(low, high), st.sampled_from(sorted({low, max(low, 0), max(low, 1), high})))


def exact(value):
    """Whether the program reads the float as it is: up to 15 digits, and a moderate power of ten."""
    digits, _, power = f"{value:e}".partition("e")
    return float(f"{value:.14e}") == value and abs(int(power) - len(digits)) <= 22


EDGES = [0.0, -0.0, 1.0, -1.0, 0.1, 1e15, 1e16, 1e21, 0.00001, 1e-6, 1.5e-7, 123456789.125, -2.5e-8, 1e22]
reals = st.one_of(
    st.sampled_from(EDGES),
    st.tuples(st.integers(-(10**14), 10**14), st.integers(-15, 6)).map(lambda pair: float(f"{pair[0]}e{pair[1]}")),
)
"""Floats that survive the program's inexact parser."""

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), whole(-(2**63), U64), reals, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)

moments = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(
        ["0001-01-01", "1970-01-01", "2025-03-10T08:15:04", "2025-03-10T08:15:04.814", "9999-12-31T23:59:59"]
    )
    .map(datetime.fromisoformat)
    .map(lambda moment: moment.replace(tzinfo=UTC)),
)

_PARTS = [("year", 31_557_600), ("month", 2_630_016), ("day", 86_400), ("h", 3600), ("m", 60), ("s", 1)]


def human(parts):
    """A duration as the program spells it."""
    seconds, nanos = parts
    found = []
    for name, size in _PARTS:
        count, seconds = divmod(seconds, size)
        if count:
            plural = "s" if len(name) > 1 and count > 1 else ""
            found.append(f"{count}{name}{plural}")
    for name, size in (("ms", 10**6), ("us", 1000), ("ns", 1)):
        count, nanos = divmod(nanos, size)
        found += [f"{count}{name}"] * bool(count)
    return " ".join(found) or "0s"


humans = st.tuples(st.one_of(st.integers(0, 10**6), whole(0, U64)), whole(0, 999_999_999)).map(human)
timings = st.builds(Timing, secs=whole(0, U64), nanos=whole(0, 999_999_999))
durations = st.builds(Duration, whole(-(10**15), 9_223_372_036_854_774), whole(0, 999_999_999))
_JOBS = (Path(__file__).parent / "corpus").glob("state/*/mapreduce/jobs/*/checkpoint-v*.json")
_STEPS = [step for job in sorted(_JOBS) for step in json.loads(job.read_text("utf-8"))["agent_template"]]
steps = st.lists(st.sampled_from(_STEPS), max_size=2)
"""Steps as the program spells them out."""
errors = st.one_of(
    st.sampled_from(
        [
            "Timeout",
            "CommitValidationFailed",
            "WorktreeError",
            "MergeConflict",
            "ValidationFailed",
            "ResourceExhausted",
            "Unknown",
        ]
    ).map(ErrorType),
    whole(-(2**31), 2**31 - 1).map(lambda code: ErrorType("CommandFailed", code)),
)

_KNOWN = {
    str: texts,
    bool: st.booleans(),
    float: reals,
    datetime: moments,
    Timing: timings,
    Duration: durations,
    ErrorType: errors,
    type(None): st.none(),
}
_NAMED = {
    "checkpoint_format_version": whole(1, U32),
    "agent_template": steps,
    "reduce_commands": st.one_of(st.none(), steps),
}
_SINGLE = {"progress_pct": st.sampled_from([0.0, 12.5, 99.9, 1e-6, 1e13, 3.4028235e38, 1e-45, 33.333332])}


def of(hint, name=""):
    """A strategy for what an annotation allows."""
    if hint in _KNOWN:
        return _KNOWN[hint]
    if hint is int:
        return whole(0, U32 if name in SHORT else U64)
    if attrs.has(hint):
        return instances(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    return _generic(hint, name)


def _generic(hint, name):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _noted(arguments[0], arguments[1], name)
    if origin in {typing.Union, types.UnionType}:
        if "ForwardRef('Json'" in repr(hint):
            return json_values
        return st.one_of(*(of(one, name) for one in arguments))
    if origin is tuple or (origin and issubclass(origin, Sequence)):
        return st.lists(of(arguments[0]), max_size=2).map(tuple)
    if origin and issubclass(origin, Mapping):
        return st.dictionaries(keys, of(arguments[1]), max_size=2)
    raise AssertionError(f"no strategy for {name}: {hint}")


def _noted(base, note, name):
    if isinstance(note, Whole):
        return whole(*note.limits)
    if isinstance(note, Human):
        return humans
    if isinstance(note, Words):
        return st.sampled_from(sorted(note.words))
    if isinstance(note, Cases):
        return st.one_of(*(_case(case, carried) for case, carried in note.types.items()))
    return of(base, name)


def _case(name, carried):
    if carried is None:
        return st.just(Tagged(name))
    if isinstance(carried, dict):
        members = st.fixed_dictionaries({key: plain(hint) for key, hint in carried.items()})
        return members.map(lambda value: Tagged(name, value))
    return of(carried).map(lambda value: Tagged(name, value))


def plain(hint):
    """What the annotation of a free-form member allows, as JSON."""
    arguments = typing.get_args(hint)
    if arguments and arguments[0] is Timing:
        return st.lists(timings.map(attrs.asdict), max_size=2).map(tuple)
    return of(hint)


def instances(cls, **given):
    """Instances of a class of the model; fields that are our additions keep their defaults.

    Args:
        cls: An attrs class.
        given: Strategies for some fields.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    made = {}
    for field in attrs.fields(cls):
        if not field.init or (cls.__name__, field.name) in OURS:
            continue
        known = {**_NAMED, **_SINGLE, **given}
        made[field.name] = known[field.name] if field.name in known else of(hints[field.name], field.name)
    return st.builds(cls, **made)


def difference(ours, theirs, path="document"):
    """Where two JSON trees first say something else, or None; floats and integers differ, as in the files."""
    if type(ours) is not type(theirs):
        return f"{path}: {ours!r} became {theirs!r}"
    if isinstance(ours, dict) and ours.keys() == theirs.keys():
        pairs = [(ours[key], theirs[key], f"{path}.{key}") for key in ours]
    elif isinstance(ours, list) and len(ours) == len(theirs):
        pairs = [(one, other, f"{path}[{index}]") for index, (one, other) in enumerate(zip(ours, theirs, strict=True))]
    else:
        return None if repr(ours) == repr(theirs) else f"{path}: {ours!r} became {theirs!r}"
    return next(filter(None, (difference(*pair) for pair in pairs)), None)
