"""Claims on dead letters against a naive model: several processes, a clock that moves, deaths."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import Fenced
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import UNKNOWN
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.redrives import RedriveSettings
from prodigy_storage.ports.presence import Token
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeBackground, FakeClock, fake_runtime
from prodigy_storage.testing.posing import Posing

TTL = 60
ITEMS = ("a", "b", "c")
PROCESSES = range(3)
SETTINGS = RedriveSettings(max_retries=100, backoff=Backoff(initial=0.0))


class Holding:
    """What the model knows of a claim: who has it and until when."""

    def __init__(self, process, trial, until):
        self.process, self.trial, self.until = process, trial, until


class Claims(RuleBasedStateMachine):
    """The model: for each item how often it has failed, and the newest claim on it."""

    @initialize(known=st.booleans())
    def begin(self, known):
        self.clock, self.storage = FakeClock(), MemoryStorage()
        self.known = known  # whether deaths can be seen
        self.living = {}
        self.failures = dict.fromkeys(ITEMS, 1)
        self.newest = {}
        self.trials = []
        self.dead = set()
        self.redrives, self.stores = [], []
        for number in PROCESSES:
            self.start(number)

    def start(self, number):
        token = Token(f"writer-{number}-{len(self.stores)}", number, "host")
        runtime = fake_runtime(clock=self.clock, background=FakeBackground(token))
        runtime.ids._numbers = itertools.count(10**6 * (len(self.stores) + 1))
        store = Store(Posing(self.storage, token, self.living), runtime=runtime)
        self.living[token] = True if self.known else None
        if not self.stores:
            for item in ITEMS:
                failure = Failure(
                    attempt_number=1, timestamp=datetime(2025, 1, 1, tzinfo=UTC), error_type=UNKNOWN, error_message="x"
                )
                store.dlq.add("repo", "job", DeadLetter.of(item, {}, [failure]))
        self.stores.append(store)
        running = store.redrives.start("repo", "job", settings=SETTINGS)
        if len(self.redrives) > number:
            self.redrives[number] = running
        else:
            self.redrives.append(running)

    def free(self, item):
        holding = self.newest.get(item)
        if holding is None or holding.until <= self.clock.monotonic():
            return True
        return self.known and holding.process in self.dead

    @rule(number=st.sampled_from(PROCESSES))
    def claim(self, number):
        running = self.redrives[number]
        trial = running.claim()
        if trial is None:
            return
        assert self.free(trial.item_id), "claimed while somebody else had it"
        assert trial.item_id in self.failures
        assert trial.letter.failure_count == self.failures[trial.item_id]
        holding = Holding(id(running), trial, self.clock.monotonic() + TTL)
        self.newest[trial.item_id] = holding
        self.trials.append((running, holding))

    def mine(self, holding):
        return self.newest.get(holding.trial.item_id) is holding

    @precondition(lambda self: self.trials)
    @rule(data=st.data(), well=st.booleans())
    def settle(self, data, well):
        running, holding = self.trials.pop(data.draw(st.integers(0, len(self.trials) - 1)))
        item = holding.trial.item_id
        try:
            running.succeed(holding.trial) if well else running.fail(holding.trial, "again")
        except Fenced:
            assert not self.mine(holding), "a result was refused though the claim stood"
            return
        assert self.mine(holding), "a late result was taken"
        del self.newest[item]
        if well:
            del self.failures[item]
        else:
            self.failures[item] += 1

    @precondition(lambda self: self.trials)
    @rule(data=st.data())
    def give_back(self, data):
        running, holding = self.trials.pop(data.draw(st.integers(0, len(self.trials) - 1)))
        running.give_back(holding.trial)
        if self.mine(holding):
            del self.newest[holding.trial.item_id]

    @rule(seconds=st.sampled_from([1, 20, 59, 60, 61]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @rule(number=st.sampled_from(PROCESSES))
    def renew(self, number):
        running = self.redrives[number]
        self.stores_of(running)._runtime.background.tick()
        for holding in self.newest.values():
            if holding.process == id(running):
                holding.until = self.clock.monotonic() + TTL

    def stores_of(self, running):
        return next(store for store in self.stores if store.redrives._around is running._around)

    @rule(number=st.sampled_from(PROCESSES))
    def die_and_come_back(self, number):
        running = self.redrives[number]
        token = self.stores_of(running).storage.me()
        if self.known:
            self.living[token] = False
        self.dead.add(id(running))
        self.start(number)

    @invariant()
    def nothing_is_lost(self):
        if self.redrives:
            found = {one.item_id: one.failure_count for one in self.stores[0].dlq.list().values}
            assert found == self.failures


Claims.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestClaims = Claims.TestCase
