"""From the `.prodigy` directory of a project, as Prodigy kept it before there was a global one, into a store.

What lies in such a directory belongs to the project: its events in one file for all jobs go to the jobs that they
name, its checkpoints to the project, its old session files become sessions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import attrs

from prodigy_storage.codecs.documents import SESSIONS
from prodigy_storage.codecs.kinds import PRODIGY_CHECKPOINT, SESSION
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.codecs.trees import parse
from prodigy_storage.codecs.values import parse_time
from prodigy_storage.errors import Corrupt, InvalidName
from prodigy_storage.model.sessions import Session, SessionStatus, SessionType, WorkflowData
from prodigy_storage.ports.names import Scope, check_name
from prodigy_storage.ports.storage import Damage, Storage
from prodigy_storage.transfer.entries import Body, Contents, Entry, Piece, bodies, pieces
from prodigy_storage.transfer.report import Report

_STATUS = {
    "InProgress": SessionStatus.RUNNING,
    "Interrupted": SessionStatus.PAUSED,
    "Completed": SessionStatus.COMPLETED,
    "Failed": SessionStatus.FAILED,
}


class Project(Protocol):
    """A project with a `.prodigy` directory of its own."""

    @property
    def name(self) -> str:
        """The name under which a store keeps the project's data."""
        ...

    @property
    def storage(self) -> Storage:
        """What the directory holds."""
        ...

    def is_in(self, storage: Storage) -> bool:
        """Whether the directory is that store itself."""
        ...

    def old_sessions(self) -> Iterable[tuple[str, bytes]]:
        """The session files of before there were sessions in a folder: place and content."""
        ...

    def last_lines(self) -> Iterable[tuple[str, bytes]]:
        """What event files end with if that is no newline, which a reader of the storage takes for unfinished."""
        ...

    def strangers(self) -> Sequence[str]:
        """Files in the directory that are nothing of the above; they are not carried."""
        ...

    def mark(self, content: bytes) -> str:
        """Keep the note that the directory was migrated; returns where."""
        ...


@attrs.frozen(kw_only=True)
class Migration:
    """What a migration did.

    Args:
        repo: The name under which the project's data is kept.
        report: What was copied.
        left: Files that are nothing that the store keeps; they stay where they are.
        mark: The note in the project's directory; None if none was written, as something is missing in the store.
    """

    repo: str
    report: Report
    left: tuple[str, ...]
    mark: str | None


def local_entries(project: Project, repo: str) -> Iterator[Entry]:
    """Everything in a project's directory, in the scopes of a store where the project is called `repo`."""
    contents = Contents()
    source = project.storage
    jobs = _jobs_in_shared_events(source)
    for stream in contents.streams:
        for scope in source.scopes(stream):
            if stream != EVENTS or scope:
                yield from (_moved(entry, project.name, repo) for entry in pieces(source, stream, scope))
            if stream == EVENTS and scope[:1] == (project.name,) and scope[1:] and scope[1] in jobs:
                jobs.discard(scope[1])
                yield from _shared_events(source, repo, scope[1])
    for job in sorted(jobs, key=lambda job: job or ""):
        yield from _shared_events(source, repo, job)
    yield from (entry for entry in pieces(source, EVENTS, ()) if isinstance(entry, Damage))
    yield from (_last(place, line, repo) for place, line in project.last_lines())
    for kind in contents.kinds:
        yield from (_moved(entry, project.name, repo) for entry in bodies(source, kind, ()))
    for place, content in project.old_sessions():
        yield _session(place, content, repo)


def _moved(entry: Entry, name: str, repo: str) -> Entry:
    if isinstance(entry, Damage):
        return entry
    if entry.scope[:1] == (name,):
        return attrs.evolve(entry, scope=(repo, *entry.scope[1:]))
    if isinstance(entry, Body) and entry.kind == PRODIGY_CHECKPOINT and not entry.scope and "/" not in entry.id:
        return attrs.evolve(entry, scope=(repo,))
    return entry


def _jobs_in_shared_events(source: Storage) -> set[str | None]:
    shared = pieces(source, EVENTS, ())
    return {_job(line) for entry in shared if isinstance(entry, Piece) for line in entry.data.split(b"\n") if line}


def _shared_events(source: Storage, repo: str, job: str | None) -> Iterator[Entry]:
    """Those of a job, or of none."""
    scope: Scope = (repo,) if job is None else (repo, job)
    for entry in pieces(source, EVENTS, ()):
        if isinstance(entry, Piece):
            lines = [line for line in entry.data.split(b"\n") if line and _job(line) == job]
            if lines:
                yield Piece(EVENTS, scope, b"\n".join((*lines, b"")))


def _job(line: bytes) -> str | None:
    try:
        return check_name(json.loads(line)["event"]["job_id"])
    except (ValueError, KeyError, TypeError, RecursionError, InvalidName):
        return None


def _last(place: str, line: bytes, repo: str) -> Entry:
    """A last line without its newline: a record if it is whole."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return Damage(place, None, f"a torn tail of {len(line)} bytes")
    job = _job(line)
    return Piece(EVENTS, (repo,) if job is None else (repo, job), line + b"\n")


def _session(place: str, content: bytes, repo: str) -> Entry:
    try:
        session = _from_old(parse(content, place), repo)
        return Body(SESSION, (), check_name(session.id), SESSIONS.encode(session))
    except Corrupt as error:
        return Damage(place, error.offset, error.reason)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Damage(place, None, f"no session of an old Prodigy: {error!r}")


def _from_old(old: dict[str, Any], repo: str) -> Session:
    started, ended = parse_time(old["started_at"]), old.get("ended_at")
    errors = [str(one) for one in old.get("errors", ())]
    data = WorkflowData(
        workflow_id=old["session_id"],
        workflow_name="",
        iterations_completed=int(old.get("iterations_completed", 0)),
        files_changed=int(old.get("files_changed", 0)),
        worktree_name=old.get("worktree_name"),
    )
    return Session(
        id=old["session_id"],
        session_type=SessionType.WORKFLOW,
        status=_STATUS[old["status"]],
        started_at=started,
        updated_at=parse_time(ended) if ended else started,
        completed_at=parse_time(ended) if ended else None,
        metadata={
            "started_by": "migrated",
            "project_name": repo,
            "legacy_session_id": old["session_id"],
            "working_directory": old.get("working_directory"),
            "errors": errors,
        },
        error="\n".join(errors) or None,
        workflow_data=data,
        repo=repo,
    )
