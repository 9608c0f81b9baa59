"""`checkpoints delete`, `clean`, `export` and `import`."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.checkpoints import REPO, names
from prodigy_storage.cli.looking import MARK, completed, job_of, suggesting
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.times import span
from prodigy_storage.cli.values import value
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.quantities import duration
from prodigy_storage.errors import NotFound
from prodigy_storage.model.checkpoints import CheckpointRetention
from prodigy_storage.model.jobs import Setup
from prodigy_storage.services.checkpoints import Pruned
from prodigy_storage.store import Store


@click.command("delete", epilog=example("checkpoints delete SESSION_OR_JOB CHECKPOINT --dry-run"))
@click.argument("job")
@click.argument("checkpoint")
@REPO
@click.option("--force", is_flag=True, help="Also the newest sound one of a phase that is not over.")
@destructive
@common
@pass_settings
def delete(
    settings: Settings, /, job: str, checkpoint: str, repo: str | None, *, force: bool, yes: bool, dry_run: bool
) -> None:
    """Remove one checkpoint of a job. Its setup goes with its session only, see `sessions clean`."""
    with settings.open() as store:
        setup = job_of(store, job, repo=repo)
        id = _known(store, setup, checkpoint)
        done = agreed(f"Remove {id} of {setup.job_id}", yes=yes, dry_run=dry_run)
        if done:
            store.checkpoints.delete(setup.repo, setup.job_id, id, force=force)
    data = {"checkpoint": id, "repo": setup.repo, "job_id": setup.job_id, "removed": done, "dry_run": dry_run}
    settings.answer(data, (), lambda _: say(f"{id} is removed.") if done else None)


def _known(store: Store, setup: Setup, name: str) -> str:
    """The id of a checkpoint, damaged or not, that is named whole or cut."""
    ids = names(store, setup)
    id = completed(name, ids) if MARK in name else name
    if id not in ids:
        raise suggesting(NotFound(f"{setup.job_id} has no checkpoint {id}"), id, ids, cutoff=0.6)
    return id


@click.command(
    "clean",
    epilog=example(
        "checkpoints clean --dry-run", "checkpoints clean SESSION_OR_JOB --keep 3", "checkpoints clean --yes"
    ),
)
@click.argument("id", required=False)
@click.option("--repo", metavar="NAME", help="Of one project.")
@click.option(
    "--keep", metavar="N", type=click.IntRange(min=0), default=10, show_default=True, help="The newest N stay."
)
@click.option(
    "--older-than", metavar="TIME", default="7d", show_default=True, callback=value(duration), help="Older ones go too."
)
@click.option("--no-keep-final", "drop_final", is_flag=True, help="Let the final one go as the others do.")
@destructive
@common
@pass_settings
def clean(settings: Settings, /, id: str | None, repo: str | None, *, yes: bool, dry_run: bool, **rule: Any) -> None:
    """Remove checkpoints that retention lets go, of one job or of all; the newest of each phase always stays."""
    retention = CheckpointRetention(
        keep=rule["keep"], max_age=rule["older_than"] or timedelta(0), keep_final=not rule["drop_final"]
    )
    with settings.open() as store:
        job = None
        if id is not None:
            setup = job_of(store, id, repo=repo)
            repo, job = setup.repo, setup.job_id
        found = store.checkpoints.clean(repo, job, retention=retention, dry_run=True)
        removed: list[Pruned] = []
        if not found:
            say("Retention lets no checkpoint go.")
        elif agreed(
            f"Remove {len(found):,} checkpoints", yes=yes, dry_run=dry_run, lines=[_line(one) for one in found]
        ):
            removed = store.checkpoints.clean(repo, job, retention=retention)
    data = {"checkpoints": [_members(one) for one in (found if dry_run else removed)], "removed": len(removed)}
    said = f"{len(removed):,} removed." if removed else ""
    settings.answer({**data, "dry_run": dry_run}, (), lambda _: say(said) if said else None)


def _line(one: Pruned) -> str:
    ago = span((SystemClock().now() - one.info.created_at).total_seconds())
    return f"{one.repo}/{one.job_id}  {one.info.id}  made {ago} ago"


def _members(one: Pruned) -> dict[str, Any]:
    return {"repo": one.repo, "job_id": one.job_id, "id": one.info.id}


@click.command(
    "export",
    epilog=example("checkpoints export SESSION_OR_JOB FILE", "checkpoints export SESSION_OR_JOB FILE CHECKPOINT"),
)
@click.argument("job")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("checkpoints", nargs=-1)
@REPO
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@common
@pass_settings
def export(
    settings: Settings, /, job: str, file: Path, checkpoints: tuple[str, ...], repo: str | None, *, force: bool
) -> None:
    """Write all checkpoints of a job, or some, into FILE, each with its digest. Damaged ones are never exported."""
    with settings.open() as store:
        setup = job_of(store, job, repo=repo)
        ids = [_known(store, setup, name) for name in checkpoints]
        lines = list(store.checkpoints.export(setup.repo, setup.job_id, ids))
    _write(file, b"".join(lines), force=force)
    data = {"file": os.fspath(file), "repo": setup.repo, "job_id": setup.job_id, "exported": len(lines) - 2}
    settings.answer(
        data, (), lambda _: say(f"{len(lines) - 2:,} checkpoints of {setup.job_id} are in {shown(str(file))}.")
    )


def _write(file: Path, data: bytes, *, force: bool) -> None:
    """Write a file that appears complete, or not at all."""
    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; replace it with --force")
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("xb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


@click.command("import", epilog=example("checkpoints import FILE", "checkpoints import FILE --json"))
@click.argument("file", type=click.File("rb"))
@common
@pass_settings
def import_(settings: Settings, file: Any) -> None:
    """Store the checkpoints of an exported FILE (- is stdin) under the job that they came from, all or none.

    Every digest is verified first. One that is there already, with the same content, is left as it is.
    """
    with settings.open() as store:
        done = store.checkpoints.import_lines(file)
    data = {"repo": done.repo, "job_id": done.job_id, "written": list(done.written), "present": list(done.present)}
    there = f", {len(done.present):,} were there already" if done.present else ""
    settings.answer(data, (), lambda _: say(f"{len(done.written):,} checkpoints of {done.job_id} written{there}."))
