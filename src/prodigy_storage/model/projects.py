"""Which directory a project's name stands for."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class Project:
    """A directory whose data is kept under a name.

    Args:
        path: The canonical path: absolute, links followed.
        claimed_at: When it was first opened under that name.
    """

    path: str
    claimed_at: datetime
