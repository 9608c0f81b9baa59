"""The reference of the command line is made from the program, so that it cannot get stale."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from prodigy_storage.cli.program import program
from prodigy_storage.cli.verbs import Verbs

DOCS = Path(__file__).parents[3] / "docs"
COMMON = {"--root", "--config", "--dialect", "--json", "--debug", "--help", "-h"}


def load(name):
    """A module that lies in the documentation's folder."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verbs(group, *before):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*before, name), command
        if isinstance(command, Verbs):
            yield from verbs(command, *before, name)


def test_every_verb_and_option_is_in_the_reference():
    """Each verb has a section of its own that names its options and shows its examples."""
    sections = {}
    for part in ("\n" + load("cli_tree").markdown()).split("\n#")[1:]:
        title, _, text = part.lstrip("#").partition("\n")
        sections[title.strip()] = text
    found = dict(verbs(program))
    assert list(sections) == [" ".join(words) for words in found]
    for words, command in found.items():
        text = sections[" ".join(words)]
        options = {name for one in command.params if isinstance(one, click.Option) for name in one.opts} - COMMON
        assert [name for name in options if name not in text] == []
        assert "```text\nprodigy-storage" in text or words == ("completion",)


def test_the_page_has_a_place_for_the_tree():
    """The page names every option that all verbs share, and the mark in whose place the tree comes is there once."""
    page = (DOCS / "reference" / "cli.md").read_text()
    assert page.count(load("cli_tree").MARK) == 1
    assert all(f"`{name}" in page for name in COMMON - {"-h"})
