"""Finding what is wrong with a store, and repairing what can be repaired without a loss."""

from prodigy_storage.doctor.findings import Finding, Severity
from prodigy_storage.doctor.service import Doctor
from prodigy_storage.doctor.surroundings import DoctorSurroundings

__all__ = ["Doctor", "DoctorSurroundings", "Finding", "Severity"]
