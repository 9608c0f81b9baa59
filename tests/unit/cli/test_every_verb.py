"""Every verb through the installed program: with `--json` in a pipe, and on a terminal of 80 columns."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import attrs
import click
import pytest

from prodigy_storage.cli.settings import NAME
from prodigy_storage.cli.verbs import Verbs

from .sample import COLUMNS, make_sample
from .test_tree import TREE

LEAVES = {" ".join(words): command for words, command in TREE if not isinstance(command, Verbs)}
STATUSES = {0: "ok", 1: "findings", 6: "partial"}
DECLINED = 1
NOBODY_TO_ASK = 2
INTERRUPTED = 130
BAR = re.compile(r"\x1b\[(2K|1A)")
"""What a bar needs to be drawn anew: the line is emptied, or the one above it."""


@attrs.frozen
class Line:
    """What is typed behind the verb.

    Args:
        rest: Its arguments; what is in braces is a name of the sample, `{fresh}` a file that does not exist.
        code: The exit code.
        writes: Whether it changes the store or writes a file; one that asks does.
        json_rest: Its arguments beside `--json`, if they are others.
        document: Whether it prints something for other programs, whose lines are as long as they are.
    """

    rest: str = ""
    code: int = 0
    writes: bool = False
    json_rest: str | None = None
    document: bool = False


LINES = {
    "demo": Line("--input code --workers 1", writes=True),
    "events ls": Line("--limit 5"),
    "events search": Line("timeout --limit 5"),
    "events stats": Line("--group-by agent_id --file {archive}"),
    "events follow": Line("--limit 3 --poll 0.02", INTERRUPTED),
    "events export": Line(
        "--format markdown --limit 3", json_rest="--format csv --output {fresh}", writes=True, document=True
    ),
    "events clean": Line("--max-events 1"),
    "dlq list": Line(),
    "dlq inspect": Line("{item} --workflow-id {job}"),
    "dlq stats": Line(),
    "dlq retry": Line("{job} --exec true --backoff none", writes=True),
    "dlq redrives list": Line(),
    "dlq redrives show": Line("{redrive}"),
    "dlq analyze": Line(),
    "dlq export": Line("{fresh} --format csv", writes=True),
    "dlq purge": Line("--older-than-days 0"),
    "dlq clear": Line("{job}"),
    "sessions list": Line(),
    "sessions show": Line("{session}"),
    "sessions pause": Line("{killed}", writes=True),
    "sessions cancel": Line("{session}"),
    "sessions clean": Line("--older-than 0s"),
    "progress": Line("{session}"),
    "checkpoints list": Line("{session}"),
    "checkpoints show": Line("{session} {checkpoint}"),
    "checkpoints validate": Line(),
    "checkpoints diff": Line("{session}"),
    "checkpoints delete": Line("{session} {checkpoint}"),
    "checkpoints clean": Line("--keep 1"),
    "checkpoints export": Line("{job} {fresh}", writes=True),
    "checkpoints import": Line("kept.checkpoints"),
    "locks list": Line(),
    "locks show": Line("{killed}"),
    "locks break": Line("{killed} --reason hangs"),
    "worktree ls": Line(),
    "worktree clean": Line("wip"),
    "worktree clean-orphaned": Line("nightly"),
    "logs": Line("--tail 5"),
    "repos": Line(),
    "usage": Line(),
    "backup": Line("{fresh}", writes=True),
    "verify": Line("all.backup"),
    "restore": Line("all.backup --force"),
    "clean": Line("all --older-than 0s"),
    "config show": Line(),
    "config path": Line(),
    "migrate": Line("shop --force"),
    "health": Line(writes=True),
    "doctor": Line("--repair", 6),
    "completion": Line("bash", document=True),
}


def asks(verb):
    """Whether it removes or overwrites something, and therefore has to be agreed to."""
    options = {name for option in LEAVES[verb].params if isinstance(option, click.Option) for name in option.opts}
    return {"--yes", "--dry-run"} <= options


ASKING = [verb for verb in LEAVES if asks(verb)]
TELLING = [verb for verb in LEAVES if not asks(verb)]


@pytest.fixture(scope="module")
def sample(parsed, tmp_path_factory):
    """A home with a store that has something for every verb; copy it to change it."""
    return make_sample(tmp_path_factory.mktemp("sample") / "home", parsed[0])


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def check_json(answer, code):
    """Exactly one object on stdout, whose status says what the exit code says."""
    assert (answer.code, set(answer.json)) == (code, {"status", "data", "diagnostics"}), answer
    assert "Traceback" not in answer.err
    assert answer.json["status"] == STATUSES[code], answer
    assert isinstance(answer.json["data"], dict)


def check_screen(answer, code, *, fits=True):
    """Nothing is coloured, and no line of the result is wider than the terminal, but for what is to be copied whole."""
    assert (answer.code, "Traceback" in answer.err) == (code, False), answer
    assert "\x1b" not in answer.out + BAR.sub("", answer.err)
    if fits:
        wide = [one for one in answer.out.splitlines() if len(one) > COLUMNS and NAME not in one]
        assert [one for one in wide if len(one.split()) > 1] == []


def test_every_verb_has_a_line():
    """The table has each verb of the program once, and no other."""
    assert sorted(LINES) == sorted(LEAVES)


@pytest.mark.parametrize("verb", [verb for verb in TELLING if verb != "events follow"])
def test_a_verb_that_does_not_ask(sample, pool, tmp_path, verb):
    """The same exit code with `--json` in a pipe and for people on a terminal; what only looks changes no file."""
    line = LINES[verb]
    places = [sample.copy(tmp_path / name) for name in "ab"] if line.writes else [sample] * 2
    before = None if line.writes else sample.seen()
    rest = line.rest if line.json_rest is None else line.json_rest
    as_json = pool.submit(places[0].pipe, f"{verb} {rest} --json")
    shown = places[1].terminal(f"{verb} {line.rest}")

    check_json(as_json.result(), line.code)
    check_screen(shown, line.code, fits=not line.document)
    assert (shown.out + shown.err).strip()
    assert (places[0].seen() == sample.seen()) is not line.writes
    assert before in (None, sample.seen())


@pytest.mark.parametrize("verb", ASKING)
def test_a_verb_that_asks(sample, pool, tmp_path, verb):
    """No on a terminal, and nobody to ask in a pipe, leave every file as it was; `--yes` does it."""
    line, code = f"{verb} {LINES[verb].rest}", LINES[verb].code
    place, other = sample.copy(tmp_path / "home"), sample.copy(tmp_path / "other")
    before = place.seen()
    told = pool.submit(place.pipe, f"{line} --dry-run --json")
    declined = pool.submit(place.terminal, line, keys="n\n")
    done = pool.submit(other.pipe, f"{line} --yes --json")
    refused = place.pipe(line)

    check_json(told.result(), code)
    check_screen(declined.result(), DECLINED)
    assert "Go on? [y/N]" in declined.result().out + declined.result().err
    assert (refused.code, refused.out, "--yes" in refused.err) == (NOBODY_TO_ASK, "", True), refused
    assert place.seen() == before
    check_json(done.result(), code)
    assert other.seen() != before


def test_following_ends_with_ctrl_c(sample, pool):
    """On a terminal; with `--json` each line is a record."""
    rest = LINES["events follow"].rest
    shown = pool.submit(sample.terminal, f"events follow {rest}", enough=3)
    records = sample.terminal(f"events follow {rest} --json", enough=3)

    check_screen(shown.result(), INTERRUPTED)
    assert records.code == INTERRUPTED
    assert [set(json.loads(line)) >= {"id", "event"} for line in records.out.splitlines()[:3]] == [True] * 3
