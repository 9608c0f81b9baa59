"""A store in memory and one in files, processes that can be killed, and damage."""

from __future__ import annotations

import itertools

import attrs
import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.ports.checkouts import Checkout
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Batch, Index, Kind, Put
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeBackground, FakeClock, fake_runtime
from prodigy_storage.testing.posing import Posing


@attrs.define
class Folders:
    """Working copies that only pretend to be there."""

    there: set = attrs.field(factory=set)

    def path(self, repo, name):
        return f"/worktrees/{repo}/{name}"

    def names(self):
        return sorted(self.there)

    def create(self, repo, name, *, project, branch, base=None):
        self.there.add((repo, name))
        return Checkout(path=self.path(repo, name), branch=branch, uncommitted=0, unmerged=0)


@attrs.define
class World:
    """One storage, and the processes that use it."""

    storage: object
    clock: FakeClock = attrs.field(factory=FakeClock)
    folders: Folders = attrs.field(factory=Folders)
    living: dict = attrs.field(factory=dict)

    def process(self, name):
        token = Token(name, len(self.living) + 1, "host")
        runtime = fake_runtime(clock=self.clock, background=FakeBackground(token))
        runtime.ids._numbers = itertools.count(10**6 * (len(self.living) + 1))  # no two processes draw one id
        self.living[token] = True
        posing = Posing(self.storage, token, self.living)
        return Store(posing, runtime=runtime, checkouts=self.folders)

    def kill(self, store):
        self.living[store.storage.me()] = False

    def put(self, kind, scope, id, body):
        """Write a body that the kind itself would refuse."""
        blind = Kind(kind.name, lambda _: Index(0), kind.tags)
        self.storage.commit(Batch(scope, (Put(blind, id, body),)))


@pytest.fixture(params=["memory", "files"])
def world(request, tmp_path):
    world = World(MemoryStorage() if request.param == "memory" else FileStorage(tmp_path / "root"))
    yield world
    world.storage.close()


@pytest.fixture
def store(world):
    """The process of the one who looks."""
    return world.process("looker")


def finish(store, repo="shop"):
    """A job that is over, with a dead letter and checkpoints."""
    with store.runs.start(repo, items=["good", "bad"], max_retries=0) as run:
        for attempt in run.attempts():
            run.fail(attempt, "broken") if attempt.item == "bad" else run.complete(attempt)
    store.events.flush()
    return run


def found(store, *, repo=None):
    """What is found, by its code."""
    codes = {}
    for one in store.doctor.examine(repo):
        codes.setdefault(one.code, []).append(one)
    return codes
