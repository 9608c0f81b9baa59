"""`completion`: what a shell needs to complete verbs, options and names of what is stored."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from prodigy_storage.cli.settings import NAME, Settings
from prodigy_storage.cli.verbs import common, pass_settings
from prodigy_storage.store import Store

VARIABLE = "_PRODIGY_STORAGE_COMPLETE"
"""Set by the scripts when they ask the program for completions."""
_MOST = 200
_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    epilog="\n".join(
        (
            "\b",
            "Examples:",
            f'  bash, in ~/.bashrc:  eval "$({NAME} completion bash)"',
            f'  zsh, in ~/.zshrc:    eval "$({NAME} completion zsh)"',
            f"  fish:                {NAME} completion fish > ~/.config/fish/completions/{NAME}.fish",
        )
    )
)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@common
@pass_settings
@click.pass_context
def completion(ctx: click.Context, settings: Settings, shell: str) -> None:
    """Print the script that lets a shell complete verbs, options, and the names of projects, jobs and sessions."""
    kind = _SHELLS[shell]
    script = ShellComplete.source(kind(ctx.find_root().command, {}, NAME, VARIABLE))
    settings.finish({"shell": shell, "script": script}, [], lambda _: click.echo(script, nl=False))


def _repos(store: Store) -> Iterable[str]:
    return (repo.name for repo in store.repos())


def _jobs(store: Store) -> Iterable[str]:
    return (job for repo in store.repos() for job in repo.jobs)


def _sessions(store: Store) -> Iterable[str]:
    return [session.id for session in store.sessions.list().values][::-1]


def _items(store: Store) -> Iterable[str]:
    return [letter.item_id for letter in store.dlq.list().values][::-1]


def _either(store: Store) -> Iterable[str]:
    return [*_sessions(store), *_jobs(store)]


_NAMES: dict[str, Callable[[Store], Iterable[str]]] = {
    "repo": _repos,
    "job": _either,
    "job_id": _jobs,
    "session": _either,
    "session_id": _either,
    "id": _either,
    "item": _items,
    "items": _items,
}
"""What a parameter of that name takes."""


class Stored(click.types.StringParamType):
    """A text that names something stored."""

    def __init__(self, find: Callable[[Store], Iterable[str]]) -> None:
        self._find = find

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names that begin so; none if the store cannot be read. Nothing is created."""
        del param
        with contextlib.suppress(Exception), ctx.ensure_object(Settings).open() as store:
            found = dict.fromkeys(name for name in self._find(store) if name.startswith(incomplete))
            return [CompletionItem(name) for name in list(found)[:_MOST]]
        return []


def complete_names(command: click.Command) -> None:
    """Let the parameters of a verb complete names from the store; for the process that completes."""
    for parameter in command.params:
        known: Any = _NAMES.get(parameter.name or "")
        if known and isinstance(parameter.type, click.types.StringParamType):
            parameter.type = Stored(known)
