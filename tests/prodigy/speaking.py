"""How each kind of document gets into a store that speaks Prodigy's dialect, and where Prodigy looks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import attrs
from hypothesis import strategies as st

import prodigy_storage
from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.documents import DEAD_LETTERS, MAPPINGS, SESSIONS, Codec
from prodigy_storage.codecs.prodigy.documents import (
    ORPHANED_WORKTREES,
    PRODIGY_CHECKPOINTS,
    PRODIGY_JOB_METADATA,
    PRODIGY_JOB_STATES,
    REDUCE_CHECKPOINTS,
    WORKTREES,
)
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.prodigy.checkpoints import MapReduceCheckpoint, ProdigyReduceCheckpoint
from prodigy_storage.model.prodigy.jobs import ProdigyJobMetadata, ProdigyJobState
from prodigy_storage.model.prodigy.workflows import WorkflowCheckpoint
from prodigy_storage.model.prodigy.worktrees import OrphanedWorktree, WorktreeState
from prodigy_storage.model.sessions import Session
from prodigy_storage.ports.storage import Batch, Kind, Put

from .made import instances

REPO = "shop"


def opened(root):
    """A store at `root` that speaks the dialect."""
    return prodigy_storage.open(root, dialect="prodigy-0.4")


@dataclass(frozen=True)
class Way:
    """One kind of document; in names, `{n}` stands for a number.

    Args:
        values: A strategy for the values.
        kind, codec: What the library calls it, and how it reads it.
        scope, id: Its name in the library.
        path: Where Prodigy has it.
        names: Members of the value that must be what its name says.
        asked: What the judge has to know, so that the program's own store finds it; None if the program has no store
            for it, but only a type.
        saved: The same for saving.
    """

    values: Any
    kind: Kind
    codec: Codec
    scope: tuple[str, ...]
    id: str
    path: str
    names: dict[str, str]
    asked: dict[str, str] | None = None
    saved: dict[str, str] | None = None

    def named(self, value, number):
        """The value as the one with this number."""
        return attrs.evolve(value, **numbered(self.names, number)) if self.names else value

    def write(self, store, number, value):
        """Store the value; its path."""
        scope = tuple(numbered(self.scope, number))
        special = {kinds.SESSION: create_session, kinds.DEAD_LETTER: add_letter, kinds.MAPPING: save_mapping}
        special.get(self.kind, self.put)(store, scope, self.id.format(n=number), self.named(value, number))
        return self.path.format(n=number)

    def put(self, store, scope, id, value):
        store.storage.commit(Batch(scope, (Put(self.kind, id, self.codec.encode(value)),)))

    def read(self, store, number):
        """The value with this number, and its document."""
        scope, id = tuple(numbered(self.scope, number)), self.id.format(n=number)
        return self.codec.load(store.storage.fetch(scope, self.kind, [id])[id])


def create_session(store, _, id, value):
    assert store.sessions.create(value).id == id


def add_letter(store, scope, id, value):
    assert store.dlq.add(*scope, value).item_id == id


def save_mapping(store, scope, _, value):
    store.mappings.save(*scope, value)


def numbered(names, number):
    """The number put into names."""
    if isinstance(names, dict):
        return {key: name.format(n=number) for key, name in names.items()}
    return [name.format(n=number) for name in names]


def checkpoints():
    """MapReduce checkpoints in which only active agents have assignments, as the manager demands."""
    return instances(MapReduceCheckpoint).map(active)


def active(value):
    agents = value.agent_state
    assigned = {agent: items for agent, items in agents.agent_assignments.items() if agent in agents.active_agents}
    return attrs.evolve(value, agent_state=attrs.evolve(agents, agent_assignments=assigned))


_JOB = {"repo": REPO, "job": "job-{n}"}
_FOLDER = f"state/{REPO}/mapreduce/jobs/job-{{n}}"

WAYS = {
    "session": Way(
        instances(Session),
        kinds.SESSION,
        SESSIONS,
        (),
        "session-{n}",
        "sessions/session-{n}.json",
        {"id": "session-{n}"},
        {"id": "session-{n}"},
        {},
    ),
    "dlq-item": Way(
        instances(DeadLetter),
        kinds.DEAD_LETTER,
        DEAD_LETTERS,
        (REPO, "job-{n}"),
        "item_{n}",
        f"dlq/{REPO}/job-{{n}}/mapreduce/dlq/job-{{n}}/items/item_{{n}}.json",
        {"item_id": "item_{n}"},
        _JOB,
        _JOB,
    ),
    "mapping": Way(
        instances(SessionJobMapping),
        kinds.MAPPING,
        MAPPINGS,
        (REPO,),
        "job-{n}",
        f"state/{REPO}/mappings/job-{{n}}.json",
        {"session_id": "session-{n}", "job_id": "job-{n}"},
        {**_JOB, "session": "session-{n}"},
        {"repo": REPO},
    ),
    "worktree-state": Way(
        instances(WorktreeState),
        kinds.WORKTREE,
        WORKTREES,
        (REPO,),
        "session-{n}",
        f"worktrees/{REPO}/.metadata/session-{{n}}.json",
        {"worktree_name": "session-{n}"},
        saved={"repo": REPO},
    ),
    "orphan-registry": Way(
        st.lists(instances(OrphanedWorktree), max_size=2).map(tuple),
        kinds.ORPHANED_WORKTREES,
        ORPHANED_WORKTREES,
        (REPO,),
        "job-{n}",
        f"orphaned_worktrees/{REPO}/job-{{n}}.json",
        {},
        saved=_JOB,
    ),
    "job-state": Way(
        instances(ProdigyJobState, checkpoint_version=st.just(3)),
        kinds.PRODIGY_JOB_STATE,
        PRODIGY_JOB_STATES,
        (REPO, "job-{n}"),
        "checkpoint-v3",
        f"{_FOLDER}/checkpoint-v3.json",
        {"job_id": "job-{n}"},
        _JOB,
        {"repo": REPO},
    ),
    "job-metadata": Way(
        instances(ProdigyJobMetadata),
        kinds.PRODIGY_JOB_METADATA,
        PRODIGY_JOB_METADATA,
        (REPO, "job-{n}"),
        "metadata",
        f"{_FOLDER}/metadata.json",
        {},
    ),
    "mr-checkpoint": Way(
        checkpoints(),
        kinds.PRODIGY_CHECKPOINT,
        PRODIGY_CHECKPOINTS,
        (REPO,),
        "cp-{n}",
        f"state/{REPO}/checkpoints/cp-{{n}}.checkpoint.gz",
        {},
        {**_JOB, "id": "cp-{n}", "compression": "gz"},
    ),
    "workflow-checkpoint": Way(
        instances(WorkflowCheckpoint, version=st.just(1)),
        kinds.PRODIGY_CHECKPOINT,
        PRODIGY_CHECKPOINTS,
        (REPO,),
        "workflow-{n}",
        f"state/{REPO}/checkpoints/workflow-{{n}}.checkpoint.json",
        {"workflow_id": "workflow-{n}"},
        {"session": REPO, "id": "workflow-{n}"},
        {"session": REPO},
    ),
    "reduce-checkpoint": Way(
        instances(ProdigyReduceCheckpoint),
        kinds.REDUCE_CHECKPOINT,
        REDUCE_CHECKPOINTS,
        (),
        "job-{n}/reduce-checkpoint-v1-20250310_081504",
        "state/reduce_checkpoints/job-{n}/reduce-checkpoint-v1-20250310_081504.json",
        {},
        {"job": "job-{n}"},
    ),
}
"""By the checker's name for the kind."""
