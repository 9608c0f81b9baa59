"""Dead letters in memory, a clock that stands still, and processes that are views of one storage."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import error_type_of
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.redrives import RedriveSettings
from prodigy_storage.ports.presence import Token
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeBackground, FakeClock, fake_runtime
from prodigy_storage.testing.posing import Posing

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ONCE = RedriveSettings(max_retries=1)
QUICK = RedriveSettings(max_retries=3, backoff=Backoff(initial=1.0))


def letter(item="item_0", *, message="ValueError: no", data=None, failures=1, at=0, **more):
    history = [
        Failure(
            attempt_number=number,
            timestamp=NOW + timedelta(seconds=at + number),
            error_type=error_type_of(message),
            error_message=message,
            session_id="session-1",
        )
        for number in range(1, failures + 1)
    ]
    return attrs.evolve(DeadLetter.of(item, data, history), **more)


@attrs.define
class World:
    """One storage and the processes that use it."""

    storage: MemoryStorage = attrs.field(factory=MemoryStorage)
    clock: FakeClock = attrs.field(factory=FakeClock)
    living: dict = attrs.field(factory=dict)

    def process(self, name="first"):
        token = Token(name, len(self.living) + 1, "host")
        runtime = fake_runtime(clock=self.clock, background=FakeBackground(token))
        runtime.ids._numbers = itertools.count(10**6 * (len(self.living) + 1))  # no two processes draw one id
        return Store(Posing(self.storage, token, self.living), runtime=runtime)

    def fill(self, store, count=3, **more):
        for number in range(count):
            store.dlq.add("repo", "job", letter(f"item_{number}", data={"n": number}, at=number * 10, **more))

    def kill(self, store):
        self.living[store.storage.me()] = False

    def events(self, store):
        return [record.event_type.removeprefix("d_l_q_") for record in store.events.query()]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def store(world):
    return world.process()
