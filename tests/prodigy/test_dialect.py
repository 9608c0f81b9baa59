"""What a store writes in Prodigy's dialect is acceptable to Prodigy, at the path where it looks."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy_storage.model.events import EVENT_TYPES

from .checker import kind_of, manager_offence, offence, unpacked
from .made import instances, json_values, keys
from .speaking import REPO, WAYS, opened


@pytest.mark.parametrize("kind", WAYS)
def test_every_document_is_acceptable(tmp_path, kind):
    """Whatever a document holds, the checker takes the file that it became; checkpoints have the manager's hash."""
    numbers = count()
    with opened(tmp_path) as store:

        @settings(max_examples=30)
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

        @settings(max_examples=10)
        @given(instances(cls), st.dictionaries(keys, json_values, max_size=2))
        def each(event, metadata):
            logger.log(event, metadata=metadata)

        each()
        logger.flush()
        files = list((tmp_path / "events" / REPO / "job-0").glob("events-*.jsonl"))
        assert [offence("event-lines", file.read_bytes()) for file in files] == [None]
