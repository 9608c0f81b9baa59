"""`config`, and the options and variables that say which settings count."""

from __future__ import annotations

import json
import os

import pytest

from prodigy_storage.cli.program import program
from prodigy_storage.cli.settings import Settings

from .conftest import call


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty home and working directory, and an environment without our variables."""
    for name in [name for name in os.environ if name.startswith("PRODIGY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(home, capsys):  # noqa: ARG001  # never in the home of whoever runs the tests
    """Run a verb in this process, with the environment as it is; gives exit code, stdout and stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            program(args=[str(word) for word in words], obj=Settings())
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


@pytest.fixture
def shown(run):
    """The settings that `config show --json` gives, by name: value, source, origin."""

    def shown(*words):
        code, out, _ = run("config", "show", "--json", *words)
        assert code == 0
        return {
            one["name"]: (one["value"], one["source"], one["origin"]) for one in json.loads(out)["data"]["settings"]
        }

    return shown


def configure(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_every_setting_is_shown_with_its_origin(home, run, monkeypatch):
    """The table says what counts and why, within 80 columns where paths are short."""
    text = "storage: {timeout: 5s, enable_cache: true, compression_level: 1}\n"
    configure(home / ".prodigy" / "config.yml", text)
    monkeypatch.setenv("PRODIGY_STORAGE_TYPE", "file")
    code, out, err = run("config", "show")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert (code, err) == (0, "")
    assert rows["setting"] == ["value", "from"]
    assert rows["timeout"] == ["5s", "~/.prodigy/config.yml"]
    assert rows["enable_cache"][0] == "true"
    assert rows["backend_config.enable_compression"][-1].endswith("level")
    assert rows["backend"] == ["file", "$PRODIGY_STORAGE_TYPE"]
    assert rows["backend_config.base_dir"] == ["~/.prodigy", "default"]
    assert rows["cache_config.ttl"] == ["1h", "default"]
    assert max(map(len, out.splitlines())) <= 80


def test_the_json_names_file_target_and_sources(home, run, shown, tmp_path):
    """Scripts get each value with its source, and `--root` is an argument."""
    file = configure(home / "mine.yml", "storage: {timeout: 5s}\n")
    found = shown("--config", file, "--root", tmp_path / "root")
    assert found["timeout"] == ("5s", "file", f"{file}: storage.timeout")
    assert found["backend_config.base_dir"] == (str(tmp_path / "root"), "argument", "--root")
    assert found["connection_pool_size"] == (10, "default", "")
    data = json.loads(run("config", "show", "--json", "--config", file)[1])["data"]
    assert (data["config"], data["target"], data["deprecations"]) == (str(file), str(home / ".prodigy"), [])


def test_a_bad_file_shows_the_defaults_and_what_is_wrong(home, run):
    """The answer to `All settings: config show` is never the same error alone; scripts get the error."""
    file = configure(home / "bad.yml", "storage:\n  backend_config:\n    max_file_sise: 1\n")
    code, out, err = run("config", "show", "--config", file)
    assert code == 2
    assert "backend_config.max_file_size" in out
    assert err.splitlines()[0] == f"config: {file}: storage.backend_config.max_file_sise is not a setting"
    assert err.splitlines()[1].startswith("  Did you mean max_file_size? All settings: ")
    code, out, _ = run("config", "show", "--config", file, "--json")
    (found,) = json.loads(out)["diagnostics"]
    assert (code, found["code"]) == (2, "config")


@pytest.mark.parametrize("words", [["repos"], ["events", "ls"], ["health"], ["config", "path"]])
def test_every_verb_refuses_a_bad_file(home, run, words):
    """What is not understood stops the verb before it does anything."""
    file = configure(home / "bad.yml", "storage: {timeout: -5m}\n")
    code, out, err = run("--config", file, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"config: {file}: storage.timeout: '-5m' is no length of time; allowed: ")


def test_the_option_counts_before_and_after_the_verb(home, run):
    """`--config` moves the store as its `base_dir` says; commands to copy repeat it."""
    file = configure(home / "c.yml", "storage: {backend_config: {base_dir: data}}\n")
    for words in (["--config", file, "repos"], ["repos", "--config", file]):
        code, _, err = run(*words)
        assert code == 0
        assert f"--config {file} demo" in err
    assert json.loads(run("config", "show", "--config", file, "--json")[1])["data"]["target"] == str(home / "data")
    assert run("--config", "", "repos")[0] == 2
    assert run("--config", home / "none.yml", "repos")[2].startswith(f"config: {home}/none.yml: there is no such")


@pytest.mark.parametrize("words", [["--dialect", "prodigy-0.4", "repos"], ["repos", "--dialect", "prodigy-0.4"]])
def test_the_dialect_counts_before_and_after_the_verb(run, words):
    """`--dialect` is accepted in both places, and commands to copy repeat it."""
    assert "prodigy-storage --dialect prodigy-0.4 demo" in run(*words)[2]


def test_the_dialect_of_the_command_line_counts_more_than_the_file(home, run):
    """What `--dialect` says overrides the configuration file, and `config show` names it as the origin."""
    file = configure(home / "c.yml", "storage: {dialect: prodigy-0.4}\n")
    for words, value, origin in (
        ([], "prodigy-0.4", f"{file}: storage.dialect"),
        (["--dialect", "documented"], "documented", "--dialect"),
    ):
        _, out, _ = run("config", "show", "--config", file, "--json", *words)
        (row,) = [one for one in json.loads(out)["data"]["settings"] if one["name"] == "dialect"]
        assert row["value"] == value
        assert row["origin"] == origin


def test_an_unknown_dialect_is_refused(run):
    """The message names those that exist, and nothing is opened."""
    code, out, err = run("repos", "--dialect", "prodigy")
    assert (code, out) == (2, "")
    assert "'prodigy' is not one of 'documented', 'prodigy-0.4'" in err


def test_what_is_deprecated_is_said_once(home, run, monkeypatch):
    """A deprecated variable works, and one line on stderr says what to write instead."""
    monkeypatch.setenv("PRODIGY_STORAGE_DIR", str(home / "old"))
    line = "deprecated: PRODIGY_STORAGE_DIR is deprecated: call it PRODIGY_STORAGE_BASE_PATH"
    for words in (["repos"], ["config", "show"]):
        code, _, err = run(*words)
        assert (code, err.splitlines().count(line)) == (0, 1)
    configure(home / "c.yml", "storage: {backend_config: {use_global: false}}\n")
    monkeypatch.delenv("PRODIGY_STORAGE_DIR")
    code, out, err = run("config", "show", "--config", "c.yml", "--json")
    assert json.loads(out)["data"]["target"] == str(home / ".prodigy")
    assert "use_global: false is deprecated" in err


def test_path_prints_the_file(home, run):
    """`config path` is for scripts: the file alone on stdout, whether it is there on stderr."""
    file = home / ".prodigy" / "config.yml"
    code, out, err = run("config", "path")
    assert (code, out) == (0, f"{file}\n")
    assert "does not exist" in err
    configure(file, "log_level: info\n")
    assert run("config", "path") == (0, f"{file}\n", "")
    assert json.loads(run("config", "path", "--json")[1])["data"] == {"path": str(file), "exists": True}
    code, out, err = run("config", "path", "--root", "memory:")
    assert (code, out) == (0, "")
    assert "No configuration file is looked for" in err


def test_the_installed_program_uses_the_file_in_its_worker_processes(tmp_path):
    """A job of several processes keeps to the settings of `--config`, and the store is where it says."""
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.py").write_text("x = 1\n")
    text = "storage: {timeout: 10s, enable_cache: true, backend_config: {base_dir: data, max_file_size: 2KB}}\n"
    file = configure(tmp_path / "c.yml", text)
    answer = call("demo", "--config", file, "--input", tmp_path / "in", "--workers", 1, "--json", HOME=str(tmp_path))
    assert answer.json["data"]["completed"] == 3
    segments = list((tmp_path / "data" / "events").rglob("*.jsonl"))
    assert len(segments) > 2
    assert not (tmp_path / ".prodigy").exists()
    shown = call("config", "show", "--config", file, HOME=str(tmp_path))
    (row,) = [line.split() for line in shown.out.splitlines() if "max_file_size" in line]
    assert (row[1], row[2][-6:]) == ("2000", "/c.yml")


@pytest.mark.parametrize("verb", ["repos", "health"])
def test_two_projects_of_one_name_are_a_finding(ask, store, tmp_path, verb):
    """As long as both directories are there, the verb names them and ends with 1."""
    for side in ("one", "two"):
        (tmp_path / side / "shop").mkdir(parents=True)
        store.projects.claim("shop", str(tmp_path / side / "shop"))
    answer = ask(verb, "--json")
    (found,) = [one for one in answer.json["diagnostics"] if one["code"] == "same-name"]
    assert answer.code == 1
    assert found["message"].startswith("shop is the name of 2 projects, which share their data: ")
    assert "name=NAME" in found["hint"]
    (tmp_path / "two" / "shop").rmdir()
    assert ask(verb, "--json").code == 0


def test_repos_lists_the_directories(ask, store):
    """Scripts see which directories were opened under a name, whether or not they are still there."""
    store.projects.claim("shop", "/gone/shop")
    (repo,) = ask("repos", "--json").json["data"]["repos"]
    assert repo == {"name": "shop", "jobs": [], "paths": ["/gone/shop"]}
