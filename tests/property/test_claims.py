"""Claims on dead letters against a naive model: several processes, a clock that moves, deaths."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

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
PROCESSES = range(2)
SETTINGS = RedriveSettings(max_retries=100, backoff=Backoff(initial=0.0))


class Holding:
    """What the model knows of a claim: who has it, and until when."""

    def __init__(self, store, running, trial, until):
        self.store, self.running, self.trial, self.until = store, running, trial, until


class Model:
    """How often each item has failed and the newest claim on it, beside the real thing."""

    def __init__(self, known):
        self.clock, self.storage, self.living = FakeClock(), MemoryStorage(), {}
        self.known = known  # whether deaths can be seen
        self.failures = dict.fromkeys(ITEMS, 1)
        self.newest = {}
        self.holdings = []
        self.dead = set()
        self.stores = [self.process(number) for number in PROCESSES]
        for item in ITEMS:
            failure = Failure(
                attempt_number=1, timestamp=datetime(2025, 1, 1, tzinfo=UTC), error_type=UNKNOWN, error_message="x"
            )
            self.stores[0].dlq.add("repo", "job", DeadLetter.of(item, {}, [failure]))

    def process(self, number):
        token = Token(f"writer-{len(self.living)}", number, "host")
        runtime = fake_runtime(clock=self.clock, background=FakeBackground(token))
        runtime.ids._numbers = itertools.count(10**6 * (len(self.living) + 1))
        self.living[token] = True if self.known else None
        return Store(Posing(self.storage, token, self.living), runtime=runtime)

    def free(self, item):
        holding = self.newest.get(item)
        if holding is None or holding.until <= self.clock.monotonic():
            return True
        return self.known and holding.store in self.dead

    def claim(self, number, choice):
        item = ITEMS[choice % len(ITEMS)]
        if item not in self.failures:
            return
        store = self.stores[number]
        running = store.redrives.start("repo", "job", ids=[item], settings=SETTINGS)
        trial = running.claim()
        assert (trial is not None) == self.free(item), "claimed though it was taken, or not though it was free"
        if trial is not None:
            assert trial.letter.failure_count == self.failures[item]
            self.newest[item] = Holding(store, running, trial, self.clock.monotonic() + TTL)
            self.holdings.append(self.newest[item])

    def succeed(self, _, choice):
        self.settle(choice, lambda holding: holding.running.succeed(holding.trial), well=True)

    def fail(self, _, choice):
        self.settle(choice, lambda holding: holding.running.fail(holding.trial, "again"), well=False)

    def settle(self, choice, how, *, well):
        if not self.holdings:
            return
        holding, item, mine = self.drawn(choice)
        try:
            how(holding)
        except Fenced:
            assert not mine, "a result was refused though the claim stood"
            return
        assert mine, "a late result was taken"
        del self.newest[item]
        if well:
            del self.failures[item]
        else:
            self.failures[item] += 1

    def drawn(self, choice):
        holding = self.holdings.pop(choice % len(self.holdings))
        return holding, holding.trial.item_id, self.newest.get(holding.trial.item_id) is holding

    def give_back(self, _, choice):
        if self.holdings:
            holding, item, mine = self.drawn(choice)
            holding.running.give_back(holding.trial)
            if mine:
                del self.newest[item]

    def wait(self, _, choice):
        self.clock.advance((1, 30, 59, 60)[choice % 4])

    def renew(self, number, _):
        store = self.stores[number]
        store._runtime.background.tick()
        for holding in self.newest.values():
            if holding.store is store and holding in self.holdings:
                holding.until = self.clock.monotonic() + TTL

    def die_and_come_back(self, number, _):
        store = self.stores[number]
        if self.known:
            self.living[store.storage.me()] = False
        self.dead.add(store)
        self.stores[number] = self.process(number)

    def check(self):
        found = {one.item_id: (one.failure_count, one.claim) for one in self.stores[0].dlq.list().values}
        assert {item: count for item, (count, _) in found.items()} == self.failures
        assert {item for item, (_, claim) in found.items() if claim} == set(self.newest)


RULES = [Model.claim] * 3 + [Model.succeed, Model.fail, Model.fail, Model.give_back, Model.wait, Model.wait]
STEP = st.tuples(
    st.sampled_from([*RULES, Model.renew, Model.die_and_come_back]), st.sampled_from(PROCESSES), st.integers(0, 11)
)


@settings(max_examples=60, deadline=None)
@given(known=st.booleans(), steps=st.lists(STEP, min_size=30, max_size=60))
def test_claims_do_what_a_naive_model_says(known, steps):
    """Claimed only when free, settled only by the newest claim, freed by time or death; nothing is ever lost."""
    model = Model(known)
    for rule, number, choice in steps:
        rule(model, number, choice)
        model.check()
