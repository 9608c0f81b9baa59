"""How sessions look."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs
from rich.text import Text

from prodigy_storage.cli.output import shown
from prodigy_storage.cli.records import body
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, clean, table
from prodigy_storage.cli.times import clock, exact, span
from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.model.jobs import Setup
from prodigy_storage.model.sessions import Session, SessionStatus
from prodigy_storage.ports.locks import Lease
from prodigy_storage.ports.storage import Damage

_STYLES = {
    SessionStatus.INITIALIZING: "yellow",
    SessionStatus.RUNNING: "yellow",
    SessionStatus.PAUSED: "yellow",
    SessionStatus.COMPLETED: "green",
    SessionStatus.FAILED: "red",
    SessionStatus.CANCELLED: "red",
}
_COLUMNS = (
    Column(title="session", cut="middle", least=17),
    Column(title="status"),
    Column(title="workflow", cut="end"),
    Column(title="repo", cut="end"),
    Column(title="done", right=True),
    Column(title="failed", right=True),
    Column(title="started", right=True),
)


@attrs.frozen(kw_only=True)
class Whole:
    """A session with everything that belongs to it; `setup` is None for one without a job."""

    session: Loaded[Session]
    setup: Setup | None = None
    total: int = 0
    completed: int = 0
    dead: int = 0
    checkpoints: Sequence[str] = ()
    lease: Lease | None = None
    damage: Sequence[Damage] = ()

    @property
    def stored(self) -> dict[str, Any]:
        """The session as it is on disk."""
        return body(self.session.document)

    @property
    def resumable(self) -> bool:
        """Whether it can go on."""
        return self.setup is not None and not self.session.value.ended

    @property
    def held(self) -> bool:
        """Whether somebody who lives, or may live, runs it."""
        return self.lease is not None and self.lease.owner is not None and self.lease.alive is not False

    def holder_json(self) -> dict[str, Any] | None:
        """Who holds the job."""
        if self.lease is None or self.lease.owner is None:
            return None
        owner = self.lease.owner
        return {"pid": owner.pid, "host": owner.host, "epoch": self.lease.epoch, "alive": self.lease.alive}


def listing(sessions: Sequence[Session], killed: Container[str], width: int, now: datetime) -> list[Text]:
    """One line each; of those in `killed` the process is gone."""
    return table(_COLUMNS, [_row(session, now, killed=session.id in killed) for session in sessions], width)


def _row(session: Session, now: datetime, *, killed: bool) -> Sequence[Cell]:
    job, flow = session.mapreduce_data, session.workflow_data
    done = failed = ""
    if job is not None:
        done, failed = (
            f"{job.processed_items:,}/{job.total_items:,}",
            f"{job.failed_items:,}" if job.failed_items else "",
        )
    elif flow is not None:
        done = f"{len(flow.completed_steps):,}/{flow.total_steps:,}"
    active = session.status in (SessionStatus.RUNNING, SessionStatus.INITIALIZING)
    status = ("killed" if killed and active else session.status.value, _STYLES[session.status])
    ago = span((now - session.started_at).total_seconds())
    return [session.id, status, _workflow(session), session.repo or "", done, failed, ago]


def _workflow(session: Session) -> str:
    name = session.workflow_data.workflow_name if session.workflow_data else session.metadata.get("workflow_name")
    return str(name or "")


def whole(settings: Settings, whole: Whole, now: datetime) -> Iterator[Text]:
    """Everything that is known of one, and how it goes on."""
    session = whole.session.value
    yield Text(clean(session.id), "bold")
    rows: list[Sequence[Cell]] = [[(name, "dim"), value] for name, value in _facts(whole, now) if value]
    yield from table((Column(title=""), Column(title="")), rows, 0)
    for title, command in _commands(settings, whole):
        yield Text(f"{title:12}{command}" if title else f"  {command}")


def _facts(whole: Whole, now: datetime) -> Iterator[tuple[str, Cell]]:
    session, setup = whole.session.value, whole.setup
    yield "status", (_status(whole), _STYLES[session.status])
    yield "type", session.session_type.value
    yield "workflow", _workflow(session)
    yield "repo", session.repo or ""
    if setup is not None:
        yield "job", setup.job_id
        yield "input", shown(str(setup.metadata.get("input", "")))
        yield "correlation", setup.correlation_id
    yield from _progress(whole)
    yield "started", exact(session.started_at, now)
    if session.completed_at is None:
        yield "updated", exact(session.updated_at, now)
    else:
        took = clock((session.completed_at - session.started_at).total_seconds())
        yield "ended", f"{exact(session.completed_at, now)}, {took} after its start"
    for name, timing in session.timings.items():
        yield name, f"{timing.secs + timing.nanos / 1e9:.3f} s"
    if session.error:
        yield "error", (session.error, "red")


def _status(whole: Whole) -> str:
    session = whole.session.value
    active = session.status in (SessionStatus.RUNNING, SessionStatus.INITIALIZING)
    owner = whole.lease.owner if whole.lease else None
    if owner is not None and whole.held:
        return f"{session.status.value}, by pid {owner.pid} on {owner.host}"
    if active and whole.setup is not None:
        gone = f" (pid {owner.pid} on {owner.host})" if owner else ""
        return f"{session.status.value} when its process was killed{gone}"
    return session.status.value


def _progress(whole: Whole) -> Iterator[tuple[str, str]]:
    session = whole.session.value
    if whole.setup is not None:
        phase = session.mapreduce_data.phase.value if session.mapreduce_data else ""
        yield "phase", phase
        left = whole.total - whole.completed - whole.dead
        waiting = f", {left:,} to do" if left else ""
        yield "progress", f"{whole.completed:,} of {whole.total:,} completed, {whole.dead:,} dead letters{waiting}"
        yield "checkpoints", f"{len(whole.checkpoints):,}"
    elif session.workflow_data is not None:
        data = session.workflow_data
        yield (
            "progress",
            f"step {data.current_step:,} of {data.total_steps:,}, {data.iterations_completed:,} iterations",
        )


def _commands(settings: Settings, whole: Whole) -> Iterator[tuple[str, str]]:
    if whole.setup is None:
        return
    id, job = whole.session.value.id, whole.setup.job_id
    if whole.resumable and not whole.held:
        yield "Go on with:", ""
        demo = whole.setup.metadata.get("workflow_name") == "demo"
        yield "", settings.command("demo", "--resume", id) if demo else f'store.runs.resume("{id}")  # in Python'
    yield "Look around:", ""
    if whole.dead:
        yield "", settings.command("dlq", "list", "--job-id", job)
    yield "", settings.command("events", "ls", "--job-id", job)
    yield "", settings.command("checkpoints", "list", id)
