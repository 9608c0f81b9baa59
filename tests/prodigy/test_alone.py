"""Files of Prodigy's that are no part of a store: exports, lists, policies, storage configurations."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import attrs
import pytest
import yaml

from prodigy_storage.cli import main
from prodigy_storage.codecs.prodigy.alone import (
    read_checkpoint,
    read_dead_letter_index,
    read_dead_letters,
    read_event_index,
    read_retention_analysis,
    retention_policy,
)
from prodigy_storage.codecs.quantities import duration
from prodigy_storage.codecs.settings import read_file
from prodigy_storage.codecs.values import parse_time
from prodigy_storage.errors import ConfigError, Corrupt, InvalidValue
from prodigy_storage.opening import effective
from prodigy_storage.opening.yaml_file import load

from .conftest import CORPUS, copied

EXTRA = CORPUS / "extra"
READERS = {
    "extra/dlq-export.json": read_dead_letters,
    "extra/mr-checkpoint-export.json": read_checkpoint,
    "extra/retention-analysis-[0-9].json": read_retention_analysis,
    "**/events/**/index.json": read_event_index,
    "**/dlq/**/index.json": read_dead_letter_index,
}
FILES = [(path, read) for pattern, read in READERS.items() for path in sorted({*CORPUS.glob(pattern)})]


def named(paths):
    return [path.relative_to(CORPUS).as_posix() for path in paths]


def plain(value):
    """A value as JSON would have it; times stay."""
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def timed(tree):
    """A tree with times in place of what looks like one."""
    if isinstance(tree, dict):
        return {name: timed(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [timed(one) for one in tree]
    return parse_time(tree) if isinstance(tree, str) and tree.endswith("Z") and tree[:2] == "20" else tree


@pytest.mark.parametrize(("path", "read"), FILES, ids=named(path for path, _ in FILES))
def test_every_file_is_read(path, read):
    """Each of them becomes a typed value."""
    assert read(path.read_bytes(), str(path))


@pytest.mark.parametrize(
    ("path", "read"),
    [(path, read) for path, read in FILES if read not in (read_dead_letters, read_checkpoint)],
    ids=named(path for path, read in FILES if read not in (read_dead_letters, read_checkpoint)),
)
def test_every_value_of_lists_and_analyses_is_there(path, read):
    """The value has each member of the file as it is, times as times."""
    body = path.read_bytes()
    assert plain(read(body, "")) == timed(json.loads(body))


def test_an_export_has_every_dead_letter():
    """Ids, order and contents are those of the file."""
    body = (EXTRA / "dlq-export.json").read_bytes()
    found = read_dead_letters(body, "")
    assert [(one.item_id, one.item_data, one.failure_count) for one in found] == [
        (one["item_id"], one["item_data"], one["failure_count"]) for one in json.loads(body)
    ]
    assert len(found) > 1


@pytest.mark.parametrize(("path", "read"), FILES[:6], ids=named(path for path, _ in FILES[:6]))
def test_what_is_damaged_is_named(path, read):
    """A truncated, emptied or misused file raises an error with its path, never anything untyped."""
    body = path.read_bytes()
    for damaged in [body[:cut] for cut in range(0, len(body) - 1, max(1, len(body) // 97))] + [b"{}", b"3", b"\0\0"]:
        with pytest.raises(Corrupt) as caught:
            read(damaged, str(path))
        assert caught.value.place == str(path)


POLICIES = sorted(EXTRA.glob("retention-policy*.yaml"))


@pytest.mark.parametrize("path", POLICIES, ids=named(POLICIES))
def test_a_retention_policy_is_read(path):
    """Every member of the file is a value, and the limits are what it says."""
    tree = yaml.safe_load(path.read_text("utf-8"))
    policy = retention_policy(load(path), str(path))
    assert attrs.asdict(policy) == tree
    limits = policy.limits()
    assert (limits.older_than, limits.max_events) == (timedelta(days=tree["max_age_days"]), tree["max_events"])
    assert limits.max_size is None
    assert policy.limits(max_events=3).max_events == 3


SOUND = {"archive_old_events": True, "compress_archives": True, "max_events": 5}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (None, "it must be a block"),
        ([], "it must be a block"),
        ({**SOUND, "max_event": 3}, "max_event is no setting of a retention policy; did you mean max_events?"),
        ({**SOUND, "max_events": -1}, "max_events is -1; it must be at least 0"),
        ({**SOUND, "max_events": True}, "max_events is True; it must be a whole number"),
        ({**SOUND, "max_age_days": "30d"}, "max_age_days is '30d'; it must be a whole number"),
        ({**SOUND, "archive_path": ""}, "archive_path is ''; it must be a path"),
        ({**SOUND, "archive_old_events": None}, "archive_old_events is None; it must be true or false"),
        ({"archive_old_events": True}, "compress_archives is missing"),
    ],
)
def test_a_bad_retention_policy_is_refused(tree, message):
    """The message names the file, the member, and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        retention_policy(tree, "p.yaml")
    assert str(caught.value).startswith("p.yaml")
    assert message in str(caught.value)


def test_an_age_beyond_all_time_is_refused():
    """A number of days that Prodigy could hold and no clock could subtract is named."""
    policy = retention_policy({**SOUND, "max_age_days": 2**32 - 1}, "p.yaml")
    with pytest.raises(InvalidValue, match="max_age_days is 4294967295"):
        policy.limits()


def clean(capsys, monkeypatch, root, *words):
    """`events clean` in this process: exit code, its JSON, and what it says."""
    monkeypatch.delenv("PRODIGY_HOME", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["--root", str(root), "events", "clean", "--json", *map(str, words)])
    out, err = capsys.readouterr()
    return ended.value.code, json.loads(out), err


@pytest.fixture
def aged(tmp_path):
    """A root with the events of one job, and a policy beside it."""
    root = copied(tmp_path, "events/shop/mapreduce-20250312_140000")
    shutil.copy(EXTRA / "retention-policy.yaml", tmp_path / "policy.yaml")
    return root, tmp_path / "policy.yaml"


def test_events_are_cleaned_by_a_policy(aged, capsys, monkeypatch):
    """What the policy's age names goes into its archive; what it does otherwise than Prodigy is said."""
    root, policy = aged
    text = policy.read_text().replace("/home/dev/.prodigy/events/archive", "old events")
    policy.write_text(text.replace("compress_archives: true", "compress_archives: false"))
    code, answer, err = clean(capsys, monkeypatch, root, "--policy", policy, "--yes")
    assert (code, answer["status"]) == (0, "ok")
    data = answer["data"]
    assert data["events_cleaned"] == data["events_archived"] > 0
    (archive,) = [path for job in data["jobs"] for path in job["archives"]]
    assert Path(archive).parent == policy.parent / "old events"
    assert "policy: max_file_size_bytes removes nothing" in err
    assert "policy: compress_archives is false" in err


def test_options_count_more_than_a_policy(aged, capsys, monkeypatch):
    """An age on the command line is the one that counts; without an archive in the policy there is none."""
    root, policy = aged
    policy.write_text("max_age_days: 5\narchive_old_events: false\ncompress_archives: true\n")
    _, kept, _ = clean(capsys, monkeypatch, root, "--policy", policy, "--older-than", "100000d", "--yes")
    assert kept["data"]["events_cleaned"] == 0
    code, answer, err = clean(capsys, monkeypatch, root, "--policy", policy, "--yes")
    assert (code, answer["data"]["events_archived"], err.count("policy:")) == (0, 0, 0)
    assert answer["data"]["events_cleaned"] > 0
    assert not (root / "events/archive").exists()


@pytest.mark.parametrize("text", ["archive_old_events: true\ncompress_archives: true\n", "max_events: [\n", "a: 1\n"])
def test_a_policy_without_a_limit_or_sense_removes_nothing(aged, capsys, monkeypatch, text):
    """It is wrong usage or configuration, and the events are as before."""
    root, policy = aged
    policy.write_text(text)
    before = {path: path.read_bytes() for path in root.rglob("*.jsonl*")}
    code, answer, _ = clean(capsys, monkeypatch, root, "--policy", policy, "--yes")
    assert (code, answer["status"]) == (2, "error")
    assert {path: path.read_bytes() for path in root.rglob("*.jsonl*")} == before


STORAGE = sorted(EXTRA.glob("storage-*"))


def leaves(tree, path=""):
    """Every value of a tree by its path."""
    for name, value in tree.items():
        full = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            yield from leaves(value, full)
        else:
            yield full, value


def spelled(value):
    """A value of a configuration as a setting has it."""
    if isinstance(value, str):
        try:
            return duration(value)
        except InvalidValue:
            return value
    return value


@pytest.mark.parametrize("path", STORAGE, ids=named(STORAGE))
def test_a_storage_configuration_is_read(path, tmp_path, monkeypatch):
    """Every value of a file that Prodigy wrote is a setting, and names the file as its origin."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PRODIGY_")]:
        monkeypatch.delenv(name)
    values = dict(leaves(yaml.safe_load(path.read_text("utf-8"))))
    layer = read_file(load(path), str(path))
    assert {name: given.value for name, given in layer.items()} == {
        name: spelled(value) for name, value in values.items() if value is not None
    }
    assert {given.origin.name for given in layer.values()} == {
        f"{path}: {name}" for name in values if values[name] is not None
    }
    found = effective(config=path).settings
    block = found.file if "backend_config.use_global" in values else found.memory
    for name, value in values.items():
        holder, _, member = name.rpartition(".")
        where = block if holder == "backend_config" else getattr(found, holder) if holder else found
        if name != "backend_config.base_dir" or values["backend_config.use_global"]:
            assert getattr(where, member) == spelled(value)


def test_humantime_is_read_to_the_microsecond():
    """The longest spelling that the program writes has its value, a year being 365.25 days and a month 30.44."""
    layer = read_file(load(EXTRA / "storage-file.yaml"), "")
    assert layer["timeout"].value == timedelta(days=1, hours=1, minutes=1, seconds=1, milliseconds=1, microseconds=2)
    assert layer["cache_config.ttl"].value == timedelta(days=400)


def test_every_file_beside_the_store_has_a_reader():
    """Each export, list and configuration of the corpus is read by one of the tests here, but for a lone id."""
    found = {*EXTRA.iterdir(), *CORPUS.rglob("index.json")}
    assert named(sorted(found - {*POLICIES, *STORAGE, *(path for path, _ in FILES)})) == [
        "extra/imported-checkpoint-id.txt"
    ]
