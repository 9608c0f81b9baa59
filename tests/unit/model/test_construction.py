"""Events are built by an `__init__` of their own: nothing but its speed differs from that of attrs."""

from __future__ import annotations

import inspect
import pickle

import attrs
import pytest

from prodigy_storage.model.events import EVENT_TYPES, AgentCompleted, Event
from prodigy_storage.model.values import Duration


@pytest.mark.parametrize("cls", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_the_signature_is_that_of_attrs(cls):
    """Names, order, defaults and annotations: compared with the same class made anew by attrs."""
    body = {field.name: attrs.field(default=field.default, init=field.init) for field in attrs.fields(cls)}
    members = {"__annotations__": dict(cls.__annotations__), **body, "__module__": cls.__module__}
    anew = attrs.frozen(slots=False)(type(cls.__name__, (Event,), members))
    assert str(inspect.signature(cls)) == str(inspect.signature(anew))


@pytest.mark.parametrize("cls", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_every_member_has_its_value_in_the_order_of_the_fields(cls):
    """Also those that are given by name; the tag comes first."""
    given = [field.name for field in attrs.fields(cls) if field.init]
    event = cls(**{name: f"value of {name}" for name in reversed(given)})
    assert list(vars(event)) == [field.name for field in attrs.fields(cls)]
    assert all(getattr(event, name) == f"value of {name}" for name in given)
    assert event == cls(*(f"value of {name}" for name in given))


def test_an_event_is_still_frozen_and_can_be_evolved_and_pickled():
    """As any frozen attrs object."""
    event = AgentCompleted("job", "agent", Duration(1, 2))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.job_id = "other"
    assert attrs.evolve(event, job_id="other") == AgentCompleted("other", "agent", Duration(1, 2))
    assert pickle.loads(pickle.dumps(event)) == event


def test_a_missing_or_unknown_argument_is_an_error():
    """The message names the class's own constructor."""
    with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required positional argument: 'duration'"):
        AgentCompleted("job", "agent")
    with pytest.raises(TypeError, match="unexpected keyword argument 'event_type'"):
        AgentCompleted("job", "agent", Duration(1, 2), event_type="other")
