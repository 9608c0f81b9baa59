"""How whatever goes wrong ends: one answer and an exit code."""

from __future__ import annotations

import contextlib
import os
import traceback

import attrs
import click

from prodigy_storage.cli.diagnostics import Diagnostic, exit_code
from prodigy_storage.cli.output import emit, forget_stdout, say
from prodigy_storage.cli.settings import NAME, Settings
from prodigy_storage.errors import StorageError

INTERNAL = 1
UNUSABLE = 7
INTERRUPTED = 130


def report(error: BaseException, settings: Settings) -> int:
    """Say what went wrong, as JSON or in lines on stderr, and give the exit code."""
    if settings.debug:
        say("".join(traceback.format_exception(error)).rstrip())
    code, found = _judged(error)
    found = attrs.evolve(found, hint=found.hint.replace(f"{NAME} ", f"{settings.prefix} "))
    if code == INTERRUPTED and not settings.json:
        return code
    if settings.json:
        with contextlib.suppress(OSError):
            emit("error", None, [found])
            return code
        forget_stdout()
    say(found.line())
    return code


def _judged(error: BaseException) -> tuple[int, Diagnostic]:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED, Diagnostic(code="interrupted", message="interrupted; nothing was begun")
    if isinstance(error, StorageError):
        return exit_code(error), Diagnostic.of_error(error)
    if isinstance(error, click.ClickException):
        return 2, Diagnostic(code="usage", message=_usage(error), hint=_help(error))
    if isinstance(error, OSError) and error.filename is None:
        return INTERNAL, Diagnostic(code="output", message=f"{error.strerror or error}")
    if isinstance(error, OSError):
        return UNUSABLE, Diagnostic(code="system", message=f"{error.strerror}: {os.fsdecode(error.filename)}")
    hint = "This is a defect. Run it again with --debug to see where it happened."
    return INTERNAL, Diagnostic(code="internal", message=f"{type(error).__name__}: {error}", hint=hint)


def _usage(error: click.ClickException) -> str:
    message = error.format_message().strip().rstrip(".")
    return message[:1].lower() + message[1:]


def _help(error: click.ClickException) -> str:
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return f"{ctx.command_path} --help shows what is allowed." if ctx else ""
