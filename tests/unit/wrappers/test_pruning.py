"""Wrappers hand on what a backend says of its front."""

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Unsupported
from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.ports.storage import Append, Batch, Capability


class Plain(MemoryStorage):
    @property
    def capabilities(self):
        return super().capabilities - {Capability.PRUNING}


def test_the_front_comes_through():
    """With its records and a cursor of the backend."""
    wrapper = Forwarding(MemoryStorage())
    wrapper.commit(Batch(("r", "j"), [Append(EVENTS, b'{"a":1}\n{"a":2}\n')]))
    assert wrapper.front(("r", "j"), EVENTS, lambda line: line == b'{"a":1}').data == b'{"a":1}\n'


def test_a_backend_without_it_is_said_to_have_none():
    """The call is refused before it reaches the backend."""
    with pytest.raises(Unsupported):
        Forwarding(Plain()).front((), EVENTS, bool)
