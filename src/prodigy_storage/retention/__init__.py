"""Cleaning a whole store by kind and age."""

from prodigy_storage.retention.service import Candidate, Category, Retention, RetentionSurroundings

__all__ = ["Candidate", "Category", "Retention", "RetentionSurroundings"]
