"""Retention policies of Prodigy's, as `events clean` takes them."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from prodigy_storage.codecs.prodigy.alone import retention_policy
from prodigy_storage.model.prodigy.retention import RetentionPolicy
from prodigy_storage.opening.yaml_file import load


def policy_of(file: Path) -> RetentionPolicy:
    """The policy in a file; a relative place of its archives starts at the file.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    found = retention_policy(load(file), os.fspath(file))
    if found.archive_path is None:
        return found
    return attrs.evolve(found, archive_path=os.fspath(file.parent / Path(found.archive_path).expanduser()))
