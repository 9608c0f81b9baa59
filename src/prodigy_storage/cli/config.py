"""`config`: which settings count, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, clean, table
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.codecs.setting_layers import Origin, Source, plain_settings
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.settings import StorageSettings
from prodigy_storage.opening import Effective

_COLUMNS = (
    Column(title="setting"),
    Column(title="value", cut="middle", least=16),
    Column(title="from", cut="middle", least=16),
)
_ARGUMENTS = {"target": "--root", "settings.dialect": "--dialect"}


@click.group(cls=Verbs, epilog=example("config show", "config path"))
@common
def config() -> None:
    """Show the settings that count, and where each came from."""


@config.command(epilog=example("config show", "config show --config storage.yml --json"))
@common
@pass_settings
def show(settings: Settings) -> None:
    """Show every setting with its value, and whether that is the default or who said so.

    The command line counts more than the environment, and that more than the file. If something is not understood, the
    defaults are shown, and the exit code is 2.
    """
    try:
        found = settings.found
    except ConfigError:
        if not settings.json:
            _show(settings.console(), plain_settings(StorageSettings()), {})
        raise
    rows = [_members(path, value, found.origins[path]) for path, value in plain_settings(found.settings).items()]
    data = {"settings": rows, "config": _file(found), "target": found.target, "deprecations": list(found.deprecations)}
    for sentence in found.deprecations:
        say(f"deprecated: {sentence}")
    settings.finish(data, (), lambda out: _show(out, plain_settings(found.settings), found.origins))


@config.command(epilog=example("config path", "config path --json"))
@common
@pass_settings
def path(settings: Settings) -> None:
    """Print the configuration file that is read, or that would be if it existed."""
    found = settings.found
    file = found.config
    exists = file is not None and file.exists()
    data = {"path": file and os.fspath(file), "exists": exists}
    settings.finish(data, (), lambda out: out.print(clean(os.fspath(file)), soft_wrap=True) if file else None)
    if file is None:
        say(f"No configuration file is looked for: {found.target} has no directory.")
    elif not exists:
        say("It does not exist; every setting is the default or comes from the environment.")


def _members(path: str, value: object, origin: Origin) -> dict[str, object]:
    return {"name": path, "value": value, "source": origin.source.name.lower(), "origin": _origin(origin)}


def _file(found: Effective) -> str | None:
    return os.fspath(found.config) if found.config and found.config.exists() else None


def _origin(origin: Origin) -> str:
    return _ARGUMENTS.get(origin.name, origin.name) if origin.source is Source.ARGUMENT else origin.name


def _show(out: Console, values: Mapping[str, Any], origins: Mapping[str, Origin]) -> None:
    rows: list[Sequence[Cell]] = [
        [path, "" if value is None else _text(value), _from(path, origins.get(path))] for path, value in values.items()
    ]
    for line in table(_COLUMNS, rows, out.width):
        out.print(line, soft_wrap=True)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else shown(str(value))


def _from(path: str, origin: Origin | None) -> Cell:
    """Who said it; of a file also where, if it is not where one would look."""
    if origin is None or origin.source is Source.DEFAULT:
        return ("default", "dim")
    if origin.source is Source.ENVIRONMENT:
        return f"${origin.name}"
    return shown(_origin(origin).removesuffix(f": storage.{path}"))
