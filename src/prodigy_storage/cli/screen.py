"""Consoles: they interpret nothing in what they print."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console


class Screen(Console):
    """A console that leaves a closed pipe to the program, and the cursor where it can be seen.

    A killed program could not bring a hidden cursor back.
    """

    def on_broken_pipe(self) -> None:
        """Let the error through that is being handled."""
        raise  # noqa: PLE0704  # called while it is handled

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002  # never hidden, never shown
        """Do nothing."""
        return False


def console(file: Any) -> Screen:
    """A console on a file; with `NO_COLOR` it has no styles at all."""
    plain = bool(os.environ.get("NO_COLOR"))
    return Screen(file=file, highlight=False, markup=False, emoji=False, color_system=None if plain else "auto")
