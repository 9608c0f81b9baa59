"""`checkpoints validate` and `checkpoints diff`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import click
from rich.console import Console

from prodigy_storage.cli.checkpoints import REPO, named
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.looking import job_of
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Column, clean, table
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.errors import NotFound
from prodigy_storage.model.checkpoints import CheckpointDiff
from prodigy_storage.model.sessions import Phase
from prodigy_storage.services.checkpoints import Verdict
from prodigy_storage.services.foreign_checkpoints import ForeignVerdict
from prodigy_storage.store import Store

_SHOWN = 10


@click.command(
    "validate",
    epilog=example("checkpoints validate", "checkpoints validate SESSION_OR_JOB", "checkpoints validate --repair"),
)
@click.argument("id", required=False)
@click.option("--repo", metavar="NAME", help="Of one project.")
@click.option("--repair", is_flag=True, help="Move what is damaged to quarantine, so that it is reported once.")
@common
@pass_settings
def validate(settings: Settings, id: str | None, repo: str | None, *, repair: bool) -> None:
    """Read every checkpoint of a job, or of all, whole: checksums, contents, and whether they fit their job.

    Those that Prodigy wrote are read too, also of a workflow or a session; they are never moved.

    Exit code 1: something is wrong. With --repair, jobs go on from what is sound; a setup is never moved.
    """
    with settings.open() as store:
        verdicts, foreign = _verdicts(store, id, repo, repair=repair)
    data = {
        "checkpoints": [_members(one) for one in verdicts],
        "prodigy_checkpoints": [{**attrs.asdict(one), "sound": one.sound} for one in foreign],
    }
    findings = [_finding(one) for one in verdicts if not one.sound]
    findings += [
        Diagnostic(code="corrupt", message="; ".join(one.reasons), path=one.place, offset=one.offset)
        for one in foreign
        if not one.sound
    ]
    settings.finish(data, findings, lambda _: _say(verdicts, foreign))


def _verdicts(
    store: Store, text: str | None, repo: str | None, *, repair: bool
) -> tuple[Sequence[Verdict], Sequence[ForeignVerdict]]:
    """Of our checkpoints, and of Prodigy's."""
    if text is None:
        return list(store.checkpoints.validate(repo, None, repair=repair)), store.foreign_checkpoints.validate(
            repo=repo
        )
    try:
        setup = job_of(store, text, repo=repo)
    except NotFound:
        foreign = store.foreign_checkpoints.validate(text, repo=repo)
        if not foreign:
            raise
        return (), foreign
    ours = list(store.checkpoints.validate(setup.repo, setup.job_id, repair=repair))
    return ours, store.foreign_checkpoints.validate(setup.job_id, repo=setup.repo)


def _members(one: Verdict) -> dict[str, Any]:
    return {**attrs.asdict(one), "phase": one.phase and one.phase.value, "sound": one.sound}


def _finding(one: Verdict) -> Diagnostic:
    moved = " (moved to quarantine)" if one.quarantined else ""
    where = one.place or f"{one.repo}/{one.job_id}/{one.id}"
    return Diagnostic(code="corrupt", message=f"{'; '.join(one.reasons)}{moved}", path=where)


def _say(verdicts: Sequence[Verdict], foreign: Sequence[ForeignVerdict]) -> None:
    if foreign:
        say(f"{sum(one.sound for one in foreign):,} of {len(foreign):,} checkpoints of Prodigy's are sound.")
        if not verdicts:
            return
    jobs = len({(one.repo, one.job_id) for one in verdicts})
    sound = sum(one.sound for one in verdicts)
    say(f"{sound:,} of {len(verdicts):,} checkpoints of {counted(jobs, 'job')} are sound.")


@click.command(
    "diff", epilog=example("checkpoints diff SESSION_OR_JOB BEFORE AFTER", "checkpoints diff SESSION_OR_JOB")
)
@click.argument("job")
@click.argument("before", required=False)
@click.argument("after", required=False)
@REPO
@common
@pass_settings
def diff(settings: Settings, /, job: str, before: str | None, after: str | None, repo: str | None) -> None:
    """Show what changed from one map checkpoint of a job to another; from the last but one to the last by default."""
    with settings.open() as store:
        setup = job_of(store, job, repo=repo)
        maps = [i.id for i in store.checkpoints.list(setup.repo, setup.job_id).checkpoints if i.phase is Phase.MAP]
        if before is None and len(maps) < 2:
            raise click.UsageError(f"{setup.job_id} has {len(maps)} map checkpoints; two are needed to compare")
        first = maps[-2] if before is None else named(store, setup, before).id
        second = maps[-1] if after is None else named(store, setup, after).id
        found = store.checkpoints.diff(setup.repo, setup.job_id, first, second)
    data = {"before_id": first, "after_id": second, **attrs.asdict(found)}
    settings.answer(data, (), lambda out: _show(out, first, second, found))


def _show(out: Console, first: str, second: str, found: CheckpointDiff) -> None:
    out.print(f"{clean(first)} → {clean(second)}", style="bold", soft_wrap=True)
    rows = [
        [name.replace("_", " "), f"{before:,}", f"{found.after[name]:,}", f"{found.after[name] - before:+,}"]
        for name, before in found.before.items()
    ]
    columns = (Column(title=""), *(Column(title=title, right=True) for title in ("before", "after", "change")))
    for line in table(columns, rows, out.width):
        out.print(line, soft_wrap=True)
    for name in ("completed", "died", "failed", "reopened", "changed"):
        items: Sequence[str] = getattr(found, name)
        if items:
            more = f" … {len(items) - _SHOWN:,} more (--json has all)" if len(items) > _SHOWN else ""
            out.print(f"  {name}: {', '.join(map(clean, items[:_SHOWN]))}{more}", soft_wrap=True)
