"""Verbs that remove or change something: they say what they will do, and ask."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from prodigy_storage.cli.output import say

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN = 20
_DECLINED = 1


def destructive(command: F) -> F:
    """Add `--yes` and `--dry-run`; the verb gets them as `yes` and `dry_run`."""
    command = click.option("--dry-run", is_flag=True, help="Only say what would happen.")(command)
    return click.option("--yes", "-y", is_flag=True, help="Do not ask (as PRODIGY_AUTOMATION=true does).")(command)


def agreed(what: str, *, yes: bool, dry_run: bool, lines: Iterable[str] = ()) -> bool:
    """Say what will happen, and whether it may. Call it only if there is something to do.

    Args:
        what: The sentence, without its full stop: `Remove 12 dead letters of 3 jobs`.
        yes, dry_run: The options.
        lines: What it concerns, one each; a long list is cut.

    Returns:
        False for a dry run.

    Raises:
        UsageError: nobody can be asked.
        Exit: the answer was no.
    """
    say(f"{what}{' (dry run: nothing is changed)' if dry_run else ''}:" if (listed := list(lines)) else f"{what}.")
    for line in listed[:_SHOWN]:
        say(f"  {line}")
    if len(listed) > _SHOWN:
        say(f"  … {len(listed) - _SHOWN:,} more")
    if dry_run:
        return False
    if yes or os.environ.get("PRODIGY_AUTOMATION", "").lower() == "true":
        return True
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: add --yes to do it, or --dry-run to see what would happen")
    if not click.confirm("Go on?", err=True):
        say("Nothing was changed.")
        raise click.exceptions.Exit(_DECLINED)
    return True
