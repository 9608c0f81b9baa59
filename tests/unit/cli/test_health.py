"""`health` where something is wrong: read-only, full, somebody else's, on a network file system, without locks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from prodigy_storage.adapters.files import FileStorage, probing
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.cli.program import program
from prodigy_storage.errors import Unsupported
from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.store import Store

from .conftest import PROGRAM, Answer, call, environment


@pytest.fixture
def root(tmp_path):
    with Store(FileStorage(tmp_path / "root")) as store:
        assert store.health().ok
    return tmp_path / "root"


@pytest.fixture
def here(capsys, monkeypatch):
    """Run `health` on a store in files, in this process."""
    monkeypatch.setenv("COLUMNS", "80")

    def here(root, *words):
        with pytest.raises(SystemExit) as ended:
            program(args=["health", "--root", str(root), *words])
        return Answer(ended.value.code, *capsys.readouterr())

    return here


def trials(answer):
    return {trial["name"]: trial["problem"] for trial in answer.json["data"]["trials"]}


def files(folder):
    """Every file besides the store's own housekeeping."""
    return [path for path in Path(folder).rglob("*") if path.is_file() and ".store" not in path.parts]


def test_what_was_tried_and_measured_is_named(root):
    """Each trial with its time, the free space, the file system and where it is mounted; nothing is left behind."""
    answer = call("health", "--root", root)
    for said in ("wrote and synced", "read back", "locked against", "kernel lock kept a second process out", "removed"):
        assert f" ms   {said}" in answer.out
    assert " free, " in answer.out
    assert " on /" in answer.out
    assert list(trials(call("health", "--root", root, "--json"))) == ["write", "read", "lock", "kernel lock", "remove"]
    assert files(root) == []
    assert not list(root.rglob(".*.tmp"))


def test_a_full_disk_is_a_finding(root):
    """When nothing more can be written, the trial that failed says so, the others are not made, and the code is 1."""
    limit = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", limit, PROGRAM, "health", "--root", root, "--json"]
    with tempfile.TemporaryDirectory() as folder:  # a pipe takes the output: files cannot grow
        done = subprocess.run(
            words, env=environment(TMPDIR=folder), capture_output=True, text=True, timeout=60, check=False
        )
    answer = Answer(done.returncode, done.stdout, done.stderr)
    assert (answer.code, answer.json["status"]) == (1, "findings")
    assert list(trials(answer)) == ["write"]
    assert "File too large" in trials(answer)["write"]
    assert call("health", "--root", root).code == 0


AS_NOBODY = """
import os, sys
import prodigy_storage.cli.ending, prodigy_storage.cli.health, prodigy_storage.opening
from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.cli.program import program
os.setgid(65534)
os.setuid(65534)
program(sys.argv[1:])
"""
"""What is imported before needs no right to read this installation later."""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize(
    ("owner", "mode", "said"), [(0, 0o777, "belongs to another user"), (65534, 0o555, "cannot be written")]
)
def test_a_root_that_is_not_ours_or_read_only(owner, mode, said):
    """Another user's root, or one without the right to write, is refused before anything is written: a finding."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "root"
        place.mkdir()
        Path(folder).chmod(0o755)
        os.chown(place, owner, owner)
        place.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, "health", "--root", str(place), "--json"],
            env=environment(HOME=folder),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert list(place.iterdir()) == []
    answer = Answer(done.returncode, done.stdout, done.stderr)
    assert (answer.code, answer.json["status"]) == (1, "findings"), answer
    assert list(trials(answer)) == ["write"]
    assert said in trials(answer)["write"]


def test_a_root_that_cannot_be_made(here, tmp_path, monkeypatch):
    """A root that does not exist yet below a folder that cannot be written is a finding, and is not made."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    answer = here(tmp_path / "none")
    assert (answer.code, "The first write cannot make it" in answer.out) == (1, True)
    assert not list(tmp_path.iterdir())


def test_a_network_file_system_is_a_warning(here, root, monkeypatch):
    """The kind of file system is looked up; one of the network is named, with what to do."""
    monkeypatch.setattr(
        psutil, "disk_partitions", lambda **_: [SimpleNamespace(mountpoint=str(root), fstype="nfs4", opts="")]
    )
    answer = here(root, "--json")
    (warning,) = answer.json["diagnostics"]
    assert (answer.code, warning["level"], warning["code"]) == (1, "warning", "network")
    assert "nfs4" in warning["message"]
    assert answer.json["data"]["ok"]


@pytest.mark.parametrize(("other", "said"), [("free", "do not keep another process out"), ("held", "are not let go")])
def test_locks_that_do_not_hold_are_a_finding(here, root, monkeypatch, other, said):
    """A file system whose locks another process does not see, or never gets, is found out."""
    monkeypatch.setattr(probing, "_seen_by_another", lambda _: other)
    answer = here(root, "--json")
    assert (answer.code, answer.json["data"]["ok"]) == (1, False)
    assert said in trials(answer)["kernel lock"]


def test_a_backend_without_trials_of_its_own(ask):
    """Memory is tried out with what every backend can do; asking its wrapper for more is an error of ours."""
    assert list(trials(ask("health", "--json"))) == ["write", "read", "lock", "remove"]
    with pytest.raises(Unsupported, match="trials"):
        Forwarding(MemoryStorage()).trials()


def test_a_file_system_without_locks(here, root, monkeypatch):
    """An error of the operating system while locking is reported as what it is."""

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(probing.fcntl, "lockf", refuse)
    answer = here(root, "--json")
    assert any("Operation not supported" in (problem or "") for problem in trials(answer).values())
    assert answer.code == 1
