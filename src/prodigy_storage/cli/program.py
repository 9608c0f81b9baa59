"""The program: its verbs, and how whatever goes wrong ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from prodigy_storage import __version__
from prodigy_storage.cli.output import forget_stdout, let_go, make_printable
from prodigy_storage.cli.settings import NAME, Settings
from prodigy_storage.cli.verbs import Verbs, common, example

PIPE_CLOSED = 141


class _PipeClosed(Exception):
    """In the place of a BrokenPipeError, for which click has an exit code of its own."""


class Program(Verbs):
    """The outermost group: turns every exception into an exit code and one answer."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> Any:
        """Run; exits always."""
        words = list(sys.argv[1:] if args is None else args)
        make_printable()
        settings = extra.pop("obj", None) or Settings()
        try:
            code = super().main(words, NAME, standalone_mode=False, obj=settings, **_without(extra))
            sys.stdout.flush()
        except (_PipeClosed, BrokenPipeError):
            forget_stdout()
            code = PIPE_CLOSED
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # no traceback reaches a user
            from prodigy_storage.cli.ending import report  # noqa: PLC0415  # only what goes wrong needs it

            settings.json |= "--json" in words
            settings.debug |= "--debug" in words
            code = report(error, settings)
        let_go()
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _PipeClosed from error


def _without(extra: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in extra.items() if name not in ("prog_name", "standalone_mode")}


_VERBS = {
    "demo": ("prodigy_storage.cli.demo:demo", "Run the main job: parse every Python file below a directory."),
    "events": ("prodigy_storage.cli.events:events", "List, count, search, follow, export and clean what happened."),
    "dlq": ("prodigy_storage.cli.dlq:dlq", "Look at dead letters, retry, export and remove them."),
    "sessions": ("prodigy_storage.cli.sessions:sessions", "List sessions; pause, cancel and clean them."),
    "progress": ("prodigy_storage.cli.job_progress:progress", "Show how far a job came, item by item."),
    "checkpoints": (
        "prodigy_storage.cli.checkpoints:checkpoints",
        "List, check, compare, remove and move checkpoints.",
    ),
    "locks": ("prodigy_storage.cli.locks:locks", "List who holds which job, break a lock."),
    "worktree": (
        "prodigy_storage.cli.worktree:worktree",
        "List the working copies of sessions, remove those done with.",
    ),
    "logs": ("prodigy_storage.cli.logs:logs", "Show what orchestrators said, by project and time."),
    "repos": ("prodigy_storage.cli.repos:repos", "List the projects that have data, with their jobs."),
    "usage": ("prodigy_storage.cli.usage:usage", "Show how much is stored, by kind, project and job."),
    "backup": ("prodigy_storage.cli.backup:backup", "Write everything, a project or a job into one file."),
    "verify": ("prodigy_storage.cli.backup:verify", "Check every digest of a backup."),
    "restore": ("prodigy_storage.cli.backup:restore", "Write what a backup holds into the store."),
    "clean": (
        "prodigy_storage.cli.clean:clean",
        "Remove what is old: worktrees, sessions, logs, state, events, dead letters.",
    ),
    "config": ("prodigy_storage.cli.config:config", "Show the settings that count, and where each came from."),
    "migrate": ("prodigy_storage.cli.migrate:migrate", "Copy a project's own .prodigy directory into the store."),
    "health": ("prodigy_storage.cli.health:health", "Try the store out: write, sync, read back, lock."),
    "doctor": ("prodigy_storage.cli.doctor:doctor", "Find what is damaged or was left behind, and repair it."),
    "completion": ("prodigy_storage.cli.completion:completion", "Print the completion script for a shell."),
}


@click.group(
    cls=Program,
    lazy=_VERBS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("demo", "demo --crash-after 500", "demo --resume", "sessions list --json"),
)
@common
@click.version_option(__version__, message=f"{NAME} {__version__}")
def program() -> None:
    """The durable memory of a job orchestrator: events, dead letters, checkpoints, sessions and locks.

    Exit codes: 0 ok, 1 findings, 2 usage, 3 not found, 4 locked, 5 corrupt, 6 done for a part,
    7 storage full or unavailable, 130 interrupted.
    """
