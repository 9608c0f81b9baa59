from __future__ import annotations

import subprocess
import sys

import pytest
from structlog.testing import CapturingLogger, capture_logs

from prodigy_storage import errors
from prodigy_storage.ports.storage import Append, Batch, Check, Expect, Put, Query
from prodigy_storage.wrappers.observed import Observed


@pytest.fixture
def logger():
    return CapturingLogger()


@pytest.fixture
def observed(storage, logger, time):
    """Each reading of the clock takes 2 ms."""

    def monotonic():
        time.advance(0.002)
        return time.monotonic()

    return Observed(storage, logger, monotonic=monotonic)


def entry(logger):
    """The only entry: its level, its name and its fields."""
    (call,) = logger.calls
    return call.method_name, call.args[0], call.kwargs


def test_commit_is_described_without_bodies(observed, logger, kind, stream):
    """A commit is logged with its scope, kinds, streams, count, size and durability, and none of its bytes."""
    batch = Batch(
        ("repo", "job"),
        [Append(stream, b'{"secret":1}\n'), Put(kind, "a", b'"secret"'), Check(kind, "b", Expect.ABSENT)],
    )
    observed.commit(batch)

    level, name, fields = entry(logger)
    assert (level, name) == ("debug", "storage.commit")
    assert fields == {
        "scope": ("repo", "job"),
        "kinds": ["things"],
        "streams": ["facts"],
        "operations": 3,
        "bytes": 21,
        "durability": "full",
        "ms": 2.0,
    }
    assert "secret" not in repr(logger.calls)


@pytest.mark.parametrize(
    ("call", "name", "fields"),
    [
        (
            lambda storage, kind, _stream: storage.fetch(("r",), kind, iter(["a", "b"])),
            "storage.fetch",
            {"scope": ("r",), "kinds": ["things"], "asked": 2, "fresh": False, "count": 1, "bytes": 8},
        ),
        (
            lambda storage, kind, _stream: storage.documents(Query(kind, tags={"state": "x"})),
            "storage.documents",
            {"scope": (), "kinds": ["things"], "tags": ["state"], "count": 1, "bytes": 8, "damage": 0},
        ),
        (
            lambda storage, _kind, stream: storage.records(("r",), stream, verify=False),
            "storage.records",
            {"scope": ("r",), "streams": ["facts"], "verify": False, "bytes": 13, "damage": 0},
        ),
        (lambda storage, kind, _stream: storage.scopes(kind), "storage.scopes", {"of": "things", "count": 2}),
        (lambda storage, _kind, _stream: storage.close(), "storage.close", {}),
    ],
    ids=["fetch", "documents", "records", "scopes", "close"],
)
def test_each_operation_is_logged(observed, logger, kind, stream, call, name, fields):
    """Every operation leaves one entry at level debug, with counts and sizes but no content."""
    call(observed, kind, stream)

    assert entry(logger) == ("debug", name, {**fields, "ms": 2.0})
    assert "secret" not in repr(logger.calls)


def test_results_and_arguments_pass_through(observed, storage, kind):
    """The observer changes neither what is asked nor what is answered."""
    found = observed.fetch(("r",), kind, iter(["a"]), fresh=True)

    assert found == storage.fetch(("r",), kind, ["a"], fresh=True)
    assert storage.calls == [("fetch", ("r",), kind, ("a",), True)] * 2


def test_our_error_is_a_warning_with_its_code(observed, storage, logger, kind):
    """An error of ours is logged with its code and message, and comes out itself."""
    storage.faults = [errors.NotFound("no such thing")]

    with pytest.raises(errors.NotFound):
        observed.fetch((), kind, ["a"])
    level, name, fields = entry(logger)
    assert (level, name) == ("warning", "storage.fetch")
    assert (fields["code"], fields["error"], fields["ms"]) == ("not-found", "no such thing", 2.0)


def test_a_foreign_error_is_logged_without_its_message(observed, storage, logger, kind):
    """The message of a foreign error may quote a body, so only its type is logged."""
    storage.faults = [KeyError("secret")]

    with pytest.raises(KeyError):
        observed.fetch((), kind, ["a"])
    assert entry(logger)[2]["code"] == "KeyError"
    assert "secret" not in repr(logger.calls)


def test_the_default_logger_is_structlogs(storage, time):
    """Without a logger the entries go where structlog is configured to send them."""
    with capture_logs() as entries:
        Observed(storage, monotonic=time.monotonic).close()

    assert entries == [{"event": "storage.close", "log_level": "debug", "ms": 0.0}]


def test_presence_passes_through(present, logger, time):
    """Asking who is alive is passed on."""
    wrapper = Observed(present, logger, monotonic=time.monotonic)

    assert wrapper.alive(wrapper.me()) is True


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("observed", "structlog"), ("retrying", "tenacity")],
)
def test_importing_loads_nothing_heavy(module, heavy):
    """A wrapper loads its library when it needs it, not when it is imported."""
    program = f"import sys, prodigy_storage.wrappers.{module}; sys.exit({heavy!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
