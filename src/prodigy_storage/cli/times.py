"""Times as people write and read them."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta

from prodigy_storage.codecs.quantities import duration
from prodigy_storage.errors import InvalidValue

_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (float("inf"), 86400, "d"))

ALLOWED = "30s, 2h, 7d, 1h30m (units w d h m s, largest first), a bare number of minutes, or ISO 8601"


def since(text: str, now: datetime) -> datetime:
    """The moment that `text` means: a span before `now`, or an ISO 8601 time, local if it has no offset.

    Raises:
        ValueError: it is neither; says what is allowed.
    """
    try:
        if re.fullmatch("[0-9]+", text):
            return now - timedelta(minutes=int(text))
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text).astimezone(UTC)
        return now - duration(text)
    except InvalidValue as error:
        raise ValueError(f"{error}; or a bare number of minutes, or ISO 8601") from error
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{text:.40} is before the year 1") from error


def span(seconds: float) -> str:
    """A length of time in its largest unit: `8 s`, `2 min`, `3 h`, `5 d`; a negative one counts as none."""
    whole = max(0, int(seconds))
    _, size, unit = next(step for step in _STEPS if whole < step[0])
    return f"{whole // size} {unit}"


def clock(seconds: float) -> str:
    """A length of time as `h:mm:ss`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def milliseconds(count: float) -> str:
    """A short length of time: `61 ms`, `2.5 s`, `3 min`."""
    if count < 1000:
        return f"{count:.1f} ms" if 0 < count < 10 and count != int(count) else f"{count:.0f} ms"
    return f"{count / 1000:.1f} s" if count < 60_000 else span(count / 1000)


def local(moment: datetime) -> datetime:
    """The same time in the zone of this machine; in UTC at the ends of the calendar."""
    try:
        return moment.astimezone()
    except (OverflowError, ValueError):
        return moment


def exact(moment: datetime, now: datetime) -> str:
    """A time to the second with its zone, and how long ago it was."""
    seconds = (now - moment).total_seconds()
    distance = f"in {span(-seconds)}" if seconds <= -1 else f"{span(seconds)} ago"
    return f"{local(moment):%Y-%m-%d %H:%M:%S %Z} ({distance})"
