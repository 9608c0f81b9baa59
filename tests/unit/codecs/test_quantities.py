"""Lengths of time and sizes: what is read, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.codecs.quantities import duration, duration_text, size
from prodigy_storage.errors import InvalidValue


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("500ms", 0.5),
        ("5m", 300),
        ("1h30m", 5400),
        ("1m 30s", 90),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("0s", 0),
        ("5 minutes", 300),
        ("2hours 3mins 4sec", 7384),
        ("1day 1h 1m 1s 1ms 2us 3ns", 90_061.001002),
        ("1year 1month 4days 7h 26m 24s", 31_557_600 + 2_630_016 + 372_384),
        ("2weeks", 1_209_600),
        ("5micros", 0.000005),
    ],
)
def test_a_length_of_time_is_read(text, seconds):
    """Units follow each other, largest first, with or without blanks."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-5m",
        "5",
        "5 minuten",
        "30m1h",
        "1s 1min",
        "1days1",
        "1 M",
        "1.5h",
        "5M",
        "1h1h",
        "s",
        "+5m",
        "٣s",
        "9" * 30 + "w",
    ],
)
def test_what_is_no_length_of_time_is_refused(text):
    """A sign, a missing, unknown or ambiguous unit, and a wrong order are errors."""
    with pytest.raises(InvalidValue):
        duration(text)


@given(st.integers(0, 10**17))
def test_the_text_of_a_length_of_time_reads_back(microseconds):
    """To the microsecond."""
    span = timedelta(microseconds=microseconds)
    assert duration(duration_text(span)) == span


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("104857600", 104_857_600),
        ("100MB", 10**8),
        ("100 MiB", 100 << 20),
        ("1.5kb", 1500),
        ("2GiB", 2 << 30),
        ("7B", 7),
    ],
)
def test_a_size_is_read(text, count):
    """Powers of 1000 and of 1024 have units of their own."""
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "1M", "1.5", "1.5B", "-1MB", "MB", "1PB", "1 0", "0x10", "1e3"])
def test_what_is_no_size_is_refused(text):
    """So is a unit that could mean two sizes."""
    with pytest.raises(InvalidValue):
        size(text)


def test_an_ambiguous_size_names_both_spellings():
    """So that the reader of the message can choose."""
    with pytest.raises(InvalidValue, match=r"1MB .* 1MiB"):
        size("1M")
