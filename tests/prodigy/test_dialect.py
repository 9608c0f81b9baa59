"""What a store writes in Prodigy's dialect is acceptable to Prodigy, at the path where it looks."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.events import EVENT_TYPES

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
