"""Completion: the scripts, and what a shell is told when it asks."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from click.shell_completion import BashComplete

from prodigy_storage.cli.completion import VARIABLE
from prodigy_storage.cli.program import program
from prodigy_storage.cli.settings import NAME, Settings
from prodigy_storage.opening import open as open_store

from .conftest import environment


def completed(*words, root):
    """What a shell would be offered for the last of the words."""
    asked = BashComplete(program, {"obj": Settings()}, NAME, VARIABLE)
    *before, incomplete = words
    return [item.value for item in asked.get_completions(["--root", str(root), *before], incomplete)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_sound(ask, shell, tmp_path):
    """Each script names the program and its variable, and its shell, where there is one, can read it."""
    script = ask("completion", shell).out
    assert "prodigy-storage" in script
    assert f"_PRODIGY_STORAGE_COMPLETE={shell}_complete" in script
    place = tmp_path / "script"
    place.write_text(script)
    if shutil.which(shell):
        subprocess.run([shell, "-n", place], check=True, timeout=60)
    assert ask("completion", shell, "--json").json["data"] == {"shell": shell, "script": script}


def test_an_unknown_shell(ask):
    """Another shell is a mistake that names those that there are."""
    answer = ask("completion", "tcsh")
    assert (answer.code, all(shell in answer.err for shell in ("bash", "zsh", "fish"))) == (2, True)


def test_bash_completes_with_the_script():
    """The script, read by a real bash, completes a verb."""
    words = "COMP_WORDS=(prodigy-storage chec); COMP_CWORD=1; _prodigy_storage_completion prodigy-storage"
    command = f'eval "$(prodigy-storage completion bash)"; {words}; echo "${{COMPREPLY[*]}}"'
    done = subprocess.run(
        ["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "checkpoints"


def test_verbs_options_and_stored_names(parsed):
    """Verbs, their options, and the names of projects, sessions, jobs and items are completed."""
    root, _ = parsed
    with open_store(root) as store:
        (session,) = [one.id for one in store.sessions.list().values]
    assert {"sessions", "usage", "backup"} <= set(completed("", root=root))
    assert completed("dlq", "insp", root=root) == ["inspect"]
    assert "--repo" in completed("usage", "--re", root=root)
    assert completed("usage", "--repo", "pr", root=root) == ["proj"]
    assert completed("sessions", "show", "sess", root=root) == [session]
    assert completed("dlq", "inspect", "bad/s", root=root) == ["bad/syntax.py"]
    assert completed("sessions", "show", "nothing", root=root) == []


def test_completing_creates_nothing(tmp_path):
    """A store that is not there gives no names, and is still not there."""
    assert completed("sessions", "show", "", root=tmp_path / "none") == []
    assert not list(tmp_path.iterdir())
