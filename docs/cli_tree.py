"""The command tree as Markdown, made from the program itself whenever the documentation is built."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

import click

from prodigy_storage.cli.program import program
from prodigy_storage.cli.settings import NAME
from prodigy_storage.cli.verbs import Verbs

MARK = "<!-- the command tree -->"
"""Where the tree goes in `reference/cli.md`."""
_COMMON = {"--root", "--config", "--dialect", "--json", "--debug", "--help"}


def markdown() -> str:
    """A section for each verb: what it does, its arguments and options, its examples."""
    return "\n".join(_sections(program, click.Context(program, info_name=NAME)))


def _sections(group: Verbs, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None  # it was listed
        inner = click.Context(command, parent=context, info_name=name)
        yield from _section(command, inner)
        if isinstance(command, Verbs):
            yield from _sections(command, inner)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    _, *words = context.command_path.split()
    arguments = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
    yield f"{'#' * (len(words) + 1)} {' '.join(words)}\n"
    if not isinstance(command, Verbs):
        yield f"`{' '.join((context.command_path, *arguments))}`\n"
    yield cleandoc(command.help or "").replace("\b\n", "") + "\n"
    yield from _options(command, context)
    examples = [line.strip() for line in (command.epilog or "").splitlines() if NAME in line]
    if examples:
        yield "\n".join(("```text", *examples, "```\n"))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    options = (one for one in command.params if isinstance(one, click.Option) and not _COMMON & {*one.opts})
    rows = [record for one in options if (record := one.get_help_record(context))]
    if rows:
        yield "| option | meaning |\n|---|---|"
        yield from (f"| `{_cell(names)}` | {_cell(text)} |" for names, text in rows)
        yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
