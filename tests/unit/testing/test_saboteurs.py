from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from prodigy_storage.errors import StorageError
from prodigy_storage.testing import storage_machine

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from saboteurs import (  # noqa: E402 - tests are no package
    SABOTEURS,
    AppliesAllButTheLastAppend,
    AppliesHalfOfABatch,
    DoublesARecordOnReopen,
    DropsTheLastRecord,
    FetchesFromTheProject,
    FoldsCase,
    ForgetsChecks,
    ForgetsOnReopen,
    ForgetsWhatDeletesExpect,
    Honest,
    IgnoresTheSecondTag,
    IncludesTheEndOfARange,
    InclusiveCursor,
    JudgesAfterApplying,
    LosesARecordOnReopen,
    LosesReceiptVersions,
    RepeatsAtPageBorders,
    ReusesVersions,
    SkipsAtPageBorders,
    TrimsOneRecordTooMany,
    TrimsWhatIsAsOld,
)

SELECTED = "not killed and not nobody_may_store and not cannot_exist and not no_cursor"
"""Memory cannot outlive a killed process; the rest is about names and cursors that never reach a backend's core."""

SEEN_BY_THE_MACHINE = [
    ForgetsChecks,
    ForgetsWhatDeletesExpect,
    JudgesAfterApplying,
    AppliesHalfOfABatch,
    AppliesAllButTheLastAppend,
    ReusesVersions,
    LosesReceiptVersions,
    RepeatsAtPageBorders,
    SkipsAtPageBorders,
    IgnoresTheSecondTag,
    IncludesTheEndOfARange,
    FetchesFromTheProject,
    FoldsCase,
    InclusiveCursor,
    DropsTheLastRecord,
    TrimsOneRecordTooMany,
    TrimsWhatIsAsOld,
    DoublesARecordOnReopen,
    LosesARecordOnReopen,
    ForgetsOnReopen,
]
"""The others need threads, hostile bodies, foreign cursors, or calls after a close."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """The clauses that each backend broke, by the name of its class."""
    report = tmp_path_factory.mktemp("kit") / "report.xml"
    suite = [sys.executable, "-m", "pytest", "saboteur_suite.py", "-q", "--tb=no", "-p", "no:cacheprovider"]
    options = ["-c", "/dev/null", "--rootdir", str(HERE), "-k", SELECTED, f"--junitxml={report}"]
    quiet = {name: value for name, value in os.environ.items() if name != "CI"}  # else pytest explains at length
    result = subprocess.run(
        [*suite, *options, "--assert=plain"],
        cwd=HERE,
        env=quiet,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    verdicts = {backend.__name__: Counter() for backend in (Honest, *SABOTEURS)}
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            verdicts[case.get("classname").rpartition(".Test")[2]][case.get("name").split("_")[1].upper()] += 1
    for name, clauses in verdicts.items():
        print(f"{name:34}", *(f"{clause}x{count}" for clause, count in sorted(clauses.items())))  # noqa: T201 - the matrix is for the reader
    return verdicts


def test_the_honest_backend_passes(verdicts):
    """What the saboteurs are made from keeps every clause, so that they fail for what they do."""
    assert not verdicts["Honest"]


@pytest.mark.parametrize("backend", SABOTEURS, ids=lambda backend: backend.__name__)
def test_the_contract_catches(verdicts, backend):
    """A backend that breaks one promise fails at least one test of the part of the contract that is about it."""
    assert verdicts[backend.__name__]


def run_machine(backend, examples):
    quick = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    Honest.stores.clear()
    run_state_machine_as_test(storage_machine(backend), settings=quick)


@pytest.mark.parametrize("backend", SEEN_BY_THE_MACHINE, ids=lambda backend: backend.__name__)
def test_the_machine_catches(backend):
    """Random calls against the model expose the saboteur too."""
    with pytest.raises((AssertionError, StorageError, HypothesisException, LookupError, ExceptionGroup)):
        run_machine(backend, 60)


def test_the_machine_passes_the_honest_backend():
    """The state machine finds nothing in a backend that keeps its promises."""
    run_machine(Honest, 30)
