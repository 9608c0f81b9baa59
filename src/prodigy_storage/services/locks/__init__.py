"""Locks: leases with epochs, over the storage port alone."""

from prodigy_storage.services.locks.service import Locks

__all__ = ["Locks"]
