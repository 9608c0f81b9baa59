"""Times as people write and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from prodigy_storage.cli.times import clock, exact, local, milliseconds, since, span

NOW = datetime(2026, 7, 13, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30s", timedelta(seconds=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("1h30m", timedelta(minutes=90)),
        ("5", timedelta(minutes=5)),
        ("0", timedelta()),
        ("90m", timedelta(minutes=90)),
    ],
)
def test_a_span_counts_back_from_now(text, ago):
    """Spans with units, and bare numbers of minutes, are before now."""
    assert since(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-07-13T10:00:00Z", NOW - timedelta(hours=2)),
        ("2026-07-13T10:00:00.5+02:00", NOW - timedelta(hours=4) + timedelta(seconds=0.5)),
    ],
)
def test_an_iso_time_is_taken_as_it_is(text, meant):
    """ISO 8601 with an offset is that moment, in UTC."""
    assert since(text, NOW) == meant


def test_an_iso_time_without_an_offset_is_local():
    """What a person copies from a table, without a zone, is in the zone of the table."""
    assert since("2026-07-13T10:00:00", NOW) == datetime(2026, 7, 13, 10).astimezone()


@pytest.mark.parametrize("text", ["", " ", "-5", "1.5h", "30m1h", "h", "tomorrow", "2H", "٣", "1h1h", "2026-13-01"])
def test_anything_else_says_what_is_allowed(text):
    """The parser is strict, and its error lists what it takes."""
    with pytest.raises(ValueError, match=r"1h30m.*ISO 8601"):
        since(text, NOW)


@pytest.mark.parametrize("text", ["999999d", "99999999999999999999", "9" * 5000])
def test_a_time_before_the_calendar_is_refused(text):
    """A span that leads before the year 1 is an error, not a crash."""
    with pytest.raises(ValueError, match="before the year 1"):
        since(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (8.9, "8 s"), (60, "1 min"), (7199, "1 h"), (86400, "1 d"), (4e7, "462 d")]
)
def test_a_span_is_shown_in_its_largest_unit(seconds, text):
    """Tables show one rounded-down number with its unit."""
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 ms"), (0.25, "0.2 ms"), (61, "61 ms"), (2500, "2.5 s"), (9e4, "1 min")]
)
def test_short_times_keep_their_precision(count, text):
    """Milliseconds stay milliseconds as long as that reads well."""
    assert milliseconds(count) == text


def test_a_clock_counts_hours():
    """Durations of runs are shown as h:mm:ss."""
    assert clock(3723) == "1:02:03"


def test_an_exact_time_says_how_long_ago_it_was():
    """`show` has the time to the second, its zone, and the distance."""
    text = exact(NOW - timedelta(minutes=2), NOW)

    assert text.startswith(f"{local(NOW - timedelta(minutes=2)):%Y-%m-%d %H:%M:%S}")
    assert text.endswith("(2 min ago)")
    assert exact(NOW + timedelta(hours=3), NOW).endswith("(in 3 h)")


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar_are_shown(moment):
    """A stored time that the local zone cannot express does not stop a listing."""
    assert f"{local(moment):%M}" == f"{moment:%M}"
