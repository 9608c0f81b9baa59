"""The whole command tree: every verb says what it does and shows examples that are true."""

from __future__ import annotations

import shlex
from itertools import takewhile

import click
import pytest

from prodigy_storage.cli.program import program
from prodigy_storage.cli.settings import NAME
from prodigy_storage.cli.verbs import Verbs


def tree(command=program, words=()):
    """Every verb and group with the words that lead to it, the program itself first."""
    yield words, command
    if isinstance(command, Verbs):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from tree(command.get_command(context, name), (*words, name))


TREE = list(tree())
EACH = pytest.mark.parametrize(("words", "command"), TREE, ids=[" ".join(words) or NAME for words, _ in TREE])


def examples(command):
    """The lines of the help that can be typed."""
    lines = (line.strip() for line in (command.epilog or "").splitlines())
    return [line for line in lines if line.startswith(f"{NAME} ")]


@EACH
def test_every_level_has_a_help_text_with_an_example(words, command):
    """A sentence says what it does, each option says what it is for, and at least one example can be copied."""
    assert command.help
    assert command.help.strip().split("\n")[0].endswith(".")
    assert examples(command) or words == ("completion",)
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


@EACH
def test_the_examples_are_commands_that_exist(words, command):
    """Each example names verbs and options that there are, with as many arguments as they take."""
    for line in examples(command):
        given = list(takewhile(lambda word: word not in {"|", ">"}, shlex.split(line)))[1:]
        assert list(words) == given[: len(words)], line
        found, rest = program, given
        context = click.Context(program)
        while isinstance(found, Verbs) and rest and not rest[0].startswith("-"):
            found, rest = found.get_command(context, rest[0]), rest[1:]
            assert found is not None, line
        found.make_parser(click.Context(found)).parse_args(list(rest))


@EACH
def test_the_help_fits_80_columns(words, command):
    """No line of a help text is wider than a terminal usually is; a command to copy is never broken."""
    context = click.Context(command, info_name=" ".join((NAME, *words)), terminal_width=80, max_content_width=80)
    lines = [line for line in command.get_help(context).splitlines() if f" {NAME} " not in line]
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("words", [words for words, command in TREE if not isinstance(command, Verbs)], ids=" ".join)
def test_every_verb_has_the_common_options(words):
    """`--root`, `--json` and `--debug` are accepted behind every verb."""
    command = dict(TREE)[words]
    assert {"--root", "--json", "--debug"} <= {name for option in command.params for name in option.opts}


@pytest.mark.parametrize("words", [words for words, command in TREE if words], ids=" ".join)
def test_a_mistyped_verb_or_option_is_suggested(ask, words):
    """One letter wrong in a verb suggests it; one letter wrong in an option suggests that."""
    *before, last = words
    wrong = ask(*before, last[:-1] + "_" if len(last) > 3 else last + "_")
    assert (wrong.code, f"did you mean {last}?" in wrong.err or "there are:" in wrong.err) == (2, True)
    if not isinstance(dict(TREE)[words], Verbs):
        answer = ask(*words, "--jsno")
        assert (answer.code, "--json" in answer.err) == (2, True)
