"""Logs of orchestrators: each line once, in the order of time, of the logs and levels that were asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.logs import LOGS
from prodigy_storage.errors import InvalidValue
from prodigy_storage.ports.storage import Append, Batch
from prodigy_storage.services.logs import Logs
from prodigy_storage.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["memory", "files"])
def storage(request, tmp_path):
    storage = MemoryStorage() if request.param == "memory" else FileStorage(tmp_path / "root")
    yield storage
    storage.close()


@pytest.fixture
def logs(storage, clock):
    return Logs(storage, clock)


@pytest.fixture
def said(logs):
    """The messages that are read, and the damage."""

    def said(*args, **kwargs):
        damage = []
        records = list(logs.read(*args, on_damage=damage.append, **kwargs))
        return [record.message for record in records], damage

    return said


def test_what_is_written_is_read_with_its_fields(logs, clock):
    """By whoever opens the store."""
    log = logs.start("shop")
    log.write("begun", items=3, of={"kind": "map"})
    (record,) = logs.read(logs.list(), on_damage=pytest.fail)
    assert (record.message, record.level, record.timestamp) == ("begun", "info", clock.now())
    assert record.fields == {"items": 3, "of": {"kind": "map"}}


def test_logs_are_told_apart_by_project_and_start(logs, clock, said):
    """Oldest first; those of one second share one."""
    first, shared = logs.start("shop"), logs.start("shop")
    first.write("a")
    shared.write("b")
    clock.sleep(1)
    logs.start("shop").write("c")
    logs.start("other").write("d")
    of_shop = logs.list("shop")
    assert len(of_shop) == 2
    assert of_shop[0].name < of_shop[1].name
    assert said(of_shop[:1]) == (["a", "b"], [])
    assert said(of_shop) == (["a", "b", "c"], [])
    assert sorted(said(logs.list())[0]) == ["a", "b", "c", "d"]


def test_lines_are_chosen_by_level_time_and_number(logs, clock, said):
    """The newest ones, in the order of time."""
    log = logs.start("shop")
    for message, level in [("a", "debug"), ("b", "error"), ("c", "info"), ("d", "critical")]:
        log.write(message, level=level)
        clock.sleep(10)
    everything = logs.list()
    assert said(everything, level="error")[0] == ["b", "d"]
    assert said(everything, since=clock.now() - timedelta(seconds=25))[0] == ["c", "d"]
    assert said(everything, limit=3)[0] == ["b", "c", "d"]
    assert said(everything, limit=0)[0] == []


def test_lines_of_one_moment_keep_their_order(logs, said):
    """Also where only the newest are wanted."""
    log = logs.start("shop")
    for message in "abc":
        log.write(message)
    assert said(logs.list())[0] == ["a", "b", "c"]
    assert said(logs.list(), limit=2)[0] == ["b", "c"]


@pytest.mark.parametrize(
    ("message", "more"), [("x", {"level": "loud"}), ("x", {"n": float("nan")}), ("\ud800", {}), ("x", {"n": object()})]
)
def test_what_cannot_be_stored_is_refused(logs, message, more):
    """With nothing written."""
    with pytest.raises(InvalidValue):
        logs.start("shop").write(message, **more)
    assert logs.list() == []


def test_a_line_of_something_else_is_reported_and_passed_over(storage, logs, said):
    """The rest stays readable."""
    log = logs.start("shop")
    log.write("a")
    storage.commit(Batch(("shop", log.session.name), [Append(LOGS, b'{"something":"else"}\n')]))
    log.write("b")
    found, damage = said(logs.list())
    assert found == ["a", "b"]
    assert ["no log record" in one.reason for one in damage] == [True]
