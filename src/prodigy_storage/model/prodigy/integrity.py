"""The integrity hash of Prodigy's MapReduce checkpoints: over job, version, phase and counts, never over content."""

from __future__ import annotations

import enum
import hashlib

import attrs

from prodigy_storage.model.prodigy.checkpoints import MapReduceCheckpoint


class Integrity(enum.Enum):
    """Which of Prodigy's two forms a hash has."""

    MANAGER = "manager"
    """That of its checkpoint manager, which `prodigy checkpoints validate` asks for."""
    PREPARATION = "preparation"
    """That of its incremental checkpoints, which counts the pending items too."""
    MISMATCH = "mismatch"
    """Neither: the checkpoint was changed, or imported under another job id."""


def manager_hash(checkpoint: MapReduceCheckpoint) -> str:
    """The hash in the form of the checkpoint manager."""
    return _digest(_counted(checkpoint))


def preparation_hash(checkpoint: MapReduceCheckpoint) -> str:
    """The hash in the form of incremental checkpoints."""
    return _digest(_counted(checkpoint) + str(len(checkpoint.work_item_state.pending_items)))


def integrity(checkpoint: MapReduceCheckpoint) -> Integrity:
    """Which form the hash of a checkpoint has."""
    found = checkpoint.metadata.integrity_hash
    if found == manager_hash(checkpoint):
        return Integrity.MANAGER
    return Integrity.PREPARATION if found == preparation_hash(checkpoint) else Integrity.MISMATCH


def signed(checkpoint: MapReduceCheckpoint) -> MapReduceCheckpoint:
    """The checkpoint with its hash in the manager's form."""
    metadata = attrs.evolve(checkpoint.metadata, integrity_hash=manager_hash(checkpoint))
    return attrs.evolve(checkpoint, metadata=metadata)


def _counted(checkpoint: MapReduceCheckpoint) -> str:
    metadata, items = checkpoint.metadata, checkpoint.work_item_state
    parts = (
        metadata.job_id,
        metadata.version,
        metadata.phase.value,
        metadata.total_work_items,
        metadata.completed_items,
        len(items.completed_items),
        len(items.failed_items),
    )
    return "".join(map(str, parts))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
