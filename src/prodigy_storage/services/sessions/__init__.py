"""Sessions: the visible executions of workflows and jobs."""

from prodigy_storage.services.sessions.service import Sessions

__all__ = ["Sessions"]
