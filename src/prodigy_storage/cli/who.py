"""Who sits at the terminal."""

from __future__ import annotations

import getpass
import os
import socket


def me() -> str:
    """`user@host`, for records of who did something."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this number
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
