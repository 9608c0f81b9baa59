"""Which field table belongs to which kind of document, and which kinds are written in YAML."""

from __future__ import annotations

from .checker_checkpoints import MR_CHECKPOINT, REDUCE_CHECKPOINT
from .checker_events import EVENT_INDEX, EVENT_RECORD, RETENTION_ANALYSIS, RETENTION_POLICY
from .checker_jobs import JOB_METADATA, JOB_STATE, step
from .checker_records import DLQ_ITEM, MAPPING, ORPHAN_REGISTRY, RESUME_LOCK, SESSION, STORAGE_CONFIG, WORKTREE_STATE
from .checker_rules import listed
from .checker_workflows import WORKFLOW_CHECKPOINT

RULES = {
    "event-record": EVENT_RECORD,
    "event-index": EVENT_INDEX,
    "dlq-item": DLQ_ITEM,
    "dlq-export": listed(DLQ_ITEM),
    "session": SESSION,
    "job-state": JOB_STATE,
    "job-metadata": JOB_METADATA,
    "mr-checkpoint": MR_CHECKPOINT,
    "reduce-checkpoint": REDUCE_CHECKPOINT,
    "workflow-checkpoint": WORKFLOW_CHECKPOINT,
    "workflow-step": step,
    "mapping": MAPPING,
    "resume-lock": RESUME_LOCK,
    "worktree-state": WORKTREE_STATE,
    "orphan-registry": ORPHAN_REGISTRY,
    "retention-analysis": RETENTION_ANALYSIS,
    "storage-config": STORAGE_CONFIG,
    "storage-config-json": STORAGE_CONFIG,
    "retention-policy": RETENTION_POLICY,
    "retention-policy-json": RETENTION_POLICY,
}
YAML = {"storage-config", "retention-policy"}
