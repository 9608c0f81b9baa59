"""Which directory a project's name stands for."""

from __future__ import annotations

from datetime import datetime

import attrs

from prodigy_storage.errors import ConfigError


@attrs.frozen(kw_only=True)
class Project:
    """A directory whose data is kept under a name.

    Args:
        path: The canonical path: absolute, links followed.
        claimed_at: When it was first opened under that name.
    """

    path: str
    claimed_at: datetime


def name_of(path: str) -> str:
    """The name of a project: the last component of its canonical path.

    Raises:
        ConfigError: it has none, as the root of the file system.
    """
    name = path.rpartition("/")[2]
    if not name:
        raise ConfigError(f"{path} has no name that a project could have", hint="Name the project explicitly.")
    return name
