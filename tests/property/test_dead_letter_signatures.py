"""Signatures and kinds of failures."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy_storage.model.dead_letters_signatures import error_type_of, signature

NAMES = st.text(string.ascii_letters + string.digits + "_-é", min_size=1, max_size=12)
PATHS = st.one_of(
    st.builds(
        lambda parts, root: root + "/".join(parts),
        st.lists(NAMES, min_size=2, max_size=4),
        st.sampled_from(["/", "~/", "./", "../", "", "/tmp/"]),
    ),
    st.builds(lambda parts: "C:\\" + "\\".join(parts), st.lists(NAMES, min_size=2, max_size=4)),
    st.builds(lambda name, end: f"{name}.{end}", NAMES, st.sampled_from(["py", "json", "csv", "yml", "tar"])),
)
QUOTED = st.one_of(PATHS, st.builds(lambda a, b: f"/{a} {b}/x y.txt", NAMES, NAMES)).map(lambda path: f"'{path}'")
NUMBERS = st.one_of(
    st.integers(0, 10**12).map(str),
    st.integers(1000, 10**9).map(lambda number: f"{number:,}"),
    st.floats(0, 1e12).map(lambda number: f"{number:.3f}"),
    st.floats(1e-30, 1e30).map(lambda number: f"{number:.2e}"),
    st.integers(-1000, -1).map(str),
)
IDS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda one: str(one).upper()),
    st.binary(min_size=4, max_size=32).map(lambda data: "a1" + data.hex()),
    st.text(string.ascii_letters + string.digits, min_size=18, max_size=40).map(lambda text: f"z{text}7"),
)
ADDRESSES = st.integers(1, 2**64 - 1).map(hex)
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1900, 2200))
TIMES = st.datetimes(FIRST, LAST, timezones=st.just(UTC)).flatmap(
    lambda at: st.sampled_from(
        [
            at.isoformat(),
            at.isoformat(" "),
            at.isoformat(timespec="seconds"),
            f"{at:%Y-%m-%dT%H:%M:%SZ}",
            f"{at:%Y-%m-%d %H:%M:%S,123}",
        ]
    )
)
VARIABLE = {"path": PATHS, "quoted": QUOTED, "number": NUMBERS, "id": IDS, "address": ADDRESSES, "time": TIMES}
TEMPLATES = [
    "{}: no such thing",
    "RuntimeError: failed at {}",
    "cannot open {}, line {}",
    "job {} ended with {} (see {})",
    "item_{} is gone",
    "value={} expected={}",
    'File "{}", line {}',
]


@pytest.mark.parametrize("kind", VARIABLE)
@settings(max_examples=60)
@given(data=st.data())
def test_the_same_failure_has_the_same_signature(kind, data):
    """Messages that differ only in a path, a number, an id, an address or a time share one signature."""
    template = data.draw(st.sampled_from(TEMPLATES))
    if kind in ("path", "quoted") and ("item_" in template or '"' in template):
        template = TEMPLATES[0]
    values = [data.draw(st.lists(VARIABLE[kind], min_size=3, max_size=3)) for _ in range(2)]
    first, second = (signature(template.format(*three)) for three in values)
    assert first == second


@settings(max_examples=60)
@given(st.text(max_size=400))
def test_any_text_has_a_short_signature_on_one_line(text):
    """A signature is never longer than 200 characters, has no line break, and does not change when taken again."""
    found = signature(text)
    assert len(found) <= 200
    assert len(found.splitlines()) <= 1
    assert signature(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KeyError: 'name'", "KeyError: 'age'"),
        ("invalid syntax", "unknown encoding: utf8"),
        ("unknown encoding: utf8", "unknown encoding: utf16"),
        ("connection refused", "connection reset"),
    ],
)
def test_other_failures_have_other_signatures(one, other):
    """Words tell failures apart, and digits inside a word are part of it."""
    assert signature(one) != signature(other)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("TimeoutError: ", "Timeout"),
        ("asyncio.exceptions.TimeoutError: nothing came", "Timeout"),
        ("httpx.ReadTimeout: x", "Timeout"),
        ("subprocess.TimeoutExpired: Command 'x' timed out after 3 seconds", "Timeout"),
        ("timed out after 30s", "Timeout"),
        ("MemoryError", "ResourceExhausted"),
        ("MemoryError: ", "ResourceExhausted"),
        ("RecursionError: maximum recursion depth exceeded", "ResourceExhausted"),
        ("openai.RateLimitError: slow down", "ResourceExhausted"),
        ("OSError: [Errno 28] No space left on device", "ResourceExhausted"),
        ("OSError: [Errno 24] Too many open files", "ResourceExhausted"),
        ("pydantic.ValidationError: 1 error", "ValidationFailed"),
        ("json.JSONDecodeError: Expecting value", "ValidationFailed"),
        ("UnicodeDecodeError: 'utf-8' codec", "ValidationFailed"),
        ("CalledProcessError: Command 'x' returned non-zero exit status 3.", "CommandFailed(3)"),
        ("CalledProcessError: Command 'x' died with <Signals.SIGKILL: 9>.", "CommandFailed(-9)"),
        ("exit code 2: timeout", "CommandFailed(2)"),
        ("commit required but none was made", "CommitValidationFailed"),
        ("Merge conflict in a.py", "MergeConflict"),
        ("WorktreeError: gone", "WorktreeError"),
        ("KeyError: 'timeout'", "Unknown"),
        ("SyntaxError: invalid syntax in validation.py", "Unknown"),
        ("AssertionError", "Unknown"),
        ("something else", "Unknown"),
        ("", "Unknown"),
    ],
)
def test_a_message_tells_the_kind_of_failure(message, kind):
    """An exit code decides, then the name of the exception, then the words."""
    assert str(error_type_of(message)) == kind
