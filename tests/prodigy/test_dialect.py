"""What a store writes in Prodigy's dialect is acceptable to Prodigy, at the path where it looks."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.events import EVENT_TYPES, AgentProgress
from prodigy_storage.model.sessions import Session, SessionStatus, SessionType, Timing, WorkflowData

from .checker import kind_of, manager_offence, offence, unpacked
from .made import instances, json_values, keys
from .speaking import REPO, WAYS, opened
from .spoiling import spoilt


@pytest.mark.parametrize("kind", WAYS)
def test_every_document_is_acceptable(tmp_path, kind):
    """Whatever a document holds, the checker takes the file that it became; checkpoints have the manager's hash."""
    numbers = count()
    with opened(tmp_path) as store:

        @settings(max_examples=15)
        @given(WAYS[kind].values)
        def each(value):
            path = WAYS[kind].write(store, next(numbers), value)
            assert kind_of(path) == kind
            found = unpacked(path, (tmp_path / path).read_bytes())
            assert offence(kind, found) is None
            assert kind != "mr-checkpoint" or manager_offence(found) is None

        each()


@pytest.mark.parametrize("cls", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_every_event_is_acceptable(tmp_path, cls):
    """Whatever an event and its metadata hold, the checker takes the line."""
    with opened(tmp_path) as store, store.events.logger(REPO, "job-0") as logger:

        @settings(max_examples=6)
        @given(instances(cls), st.dictionaries(keys, json_values, max_size=2))
        def each(event, metadata):
            logger.log(event, metadata=metadata)

        each()
        logger.flush()
        files = list((tmp_path / "events" / REPO / "job-0").glob("events-*.jsonl"))
        assert [offence("event-lines", file.read_bytes()) for file in files] == [None]


@pytest.mark.parametrize("kind", WAYS)
def test_what_prodigy_could_not_read_is_refused_or_acceptable(tmp_path, kind):
    """A number out of range, a float that is none, a lone surrogate: refused by its field, or harmless where it is."""
    numbers = count()
    with opened(tmp_path) as store:

        @settings(max_examples=25)
        @given(spoilt(WAYS[kind].values))
        def each(value):
            number = next(numbers)
            try:
                path = WAYS[kind].write(store, number, value)
            except InvalidValue:
                assert not (tmp_path / WAYS[kind].path.format(n=number)).exists()
            else:
                assert offence(kind, unpacked(path, (tmp_path / path).read_bytes())) is None

        each()


@pytest.mark.parametrize("cls", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_an_event_that_prodigy_could_not_read_is_refused_or_acceptable(tmp_path, cls):
    """The same for events, at the moment when they are logged."""
    with opened(tmp_path) as store, store.events.logger(REPO, "job-0") as logger:

        @settings(max_examples=8)
        @given(spoilt(instances(cls)))
        def each(event):
            with suppress(InvalidValue):
                logger.log(event)

        each()
        logger.flush()
        files = list((tmp_path / "events" / REPO / "job-0").glob("events-*.jsonl"))
        assert all(offence("event-lines", file.read_bytes()) is None for file in files)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = (value,)
    return value


NOW = datetime(2025, 3, 10, 8, 15, 4, tzinfo=UTC)
SESSION = Session(
    id="session-0",
    session_type=SessionType.WORKFLOW,
    status=SessionStatus.RUNNING,
    started_at=NOW,
    updated_at=NOW,
)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"metadata": {"a": (1.0, math.nan)}}, "metadata.a[1]"),
        ({"metadata": {"a": -math.inf}}, "metadata.a"),
        ({"error": "\ud800"}, "error"),
        ({"timings": {"t": Timing(secs=2**64, nanos=0)}}, "timings.t.secs"),
        ({"workflow_data": WorkflowData(workflow_id="w", workflow_name="n", files_changed=2**32)}, "files_changed"),
        ({"metadata": {"a": nested(126)}}, "levels deep"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, changes, field):
    """What the program could not read back is refused by the name of the field, and nothing is written."""
    with opened(tmp_path) as store:
        with pytest.raises(InvalidValue, match=re.escape(field)):
            store.sessions.create(attrs.evolve(SESSION, **changes))
        assert not (tmp_path / "sessions").exists()


@pytest.mark.parametrize("percent", [math.nan, math.inf, 1e39])
def test_progress_that_would_become_null_is_refused(tmp_path, percent):
    """A percentage that the program would read and lose when it writes it again is refused when it is logged."""
    with opened(tmp_path) as store, store.events.logger(REPO, "job-0") as logger:
        with pytest.raises(InvalidValue, match="progress_pct"):
            logger.log(AgentProgress("job-0", "agent-0", "step", percent))
        logger.log(AgentProgress("job-0", "agent-0", "step", 3.4028235e38))
