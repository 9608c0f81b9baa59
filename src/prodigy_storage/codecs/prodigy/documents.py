"""Documents in Prodigy's own form: its text, its limits, no checksum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar, cast

import attrs

from prodigy_storage.codecs.documents import Codec, Loaded
from prodigy_storage.codecs.prodigy.exact import exact_tree, shallow
from prodigy_storage.codecs.trees import parse
from prodigy_storage.model.prodigy.checkpoints import MapReduceCheckpoint, ProdigyReduceCheckpoint
from prodigy_storage.model.prodigy.integrity import signed
from prodigy_storage.model.prodigy.jobs import ProdigyJobMetadata, ProdigyJobState
from prodigy_storage.model.prodigy.workflows import WorkflowCheckpoint
from prodigy_storage.model.prodigy.worktrees import OrphanedWorktree, WorktreeState
from prodigy_storage.ports.storage import Document

T = TypeVar("T")
ProdigyCheckpoint: TypeAlias = MapReduceCheckpoint | WorkflowCheckpoint
"""What a file `{id}.checkpoint.{json,gz,zst,lz4}` holds."""


@attrs.frozen
class ProdigyCodec(Codec[T]):
    """A codec whose documents Prodigy reads: every value that is written new is checked and spelled as it does.

    `encode` raises `InvalidValue` for a value that Prodigy could not read back, and names the field.
    """

    def _tree(self, value: T) -> Any:
        return exact_tree(self.type, super()._tree(value), self.type.__name__)

    def _checked(self, tree: Any) -> Any:
        return shallow(tree, self.type.__name__)

    def _finished(self, text: bytes) -> bytes:
        return text


class CheckpointCodec(Codec[ProdigyCheckpoint]):
    """Checkpoints of MapReduce jobs and of workflows; the content tells which one it is.

    One of a MapReduce job is written with the integrity hash in the manager's form; unchanged, it keeps its own.
    """

    def encode(self, value: ProdigyCheckpoint, over: Document | None = None) -> bytes:
        """The body of `value`; as a change of the document `over`, if it is given.

        Raises:
            InvalidValue: Prodigy could not read it back.
        """
        if isinstance(value, WorkflowCheckpoint):
            return WORKFLOW_CHECKPOINTS.encode(value, over)
        if over is not None and MAPREDUCE_CHECKPOINTS.encode(value, over) == over.body:
            return over.body
        return MAPREDUCE_CHECKPOINTS.encode(signed(value), over)

    def decode(self, document: Document) -> ProdigyCheckpoint:
        """The checkpoint in a document.

        Raises:
            Corrupt: it is damaged, or lacks what the type needs.
        """
        if "workflow_id" in parse(document.body, document.place):
            return WORKFLOW_CHECKPOINTS.decode(document)
        return MAPREDUCE_CHECKPOINTS.decode(document)

    def load(self, document: Document) -> Loaded[ProdigyCheckpoint]:
        """The checkpoint together with its document."""
        return Loaded(self.decode(document), document)


WORKTREES = Codec(WorktreeState)
ORPHANED_WORKTREES: Codec[Sequence[OrphanedWorktree]] = ProdigyCodec(cast("Any", Sequence[OrphanedWorktree]), list)
PRODIGY_JOB_STATES = ProdigyCodec(ProdigyJobState)
PRODIGY_JOB_METADATA = ProdigyCodec(ProdigyJobMetadata)
MAPREDUCE_CHECKPOINTS = ProdigyCodec(MapReduceCheckpoint)
WORKFLOW_CHECKPOINTS = ProdigyCodec(WorkflowCheckpoint)
PRODIGY_CHECKPOINTS = CheckpointCodec(cast("Any", ProdigyCheckpoint))
REDUCE_CHECKPOINTS = ProdigyCodec(ProdigyReduceCheckpoint)
