"""The command line: each verb parses, calls the SDK, and renders. Importing this package imports nothing else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

_NEEDED = ("click", "rich", "humanize")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code; without the extra `cli`, say how to get it and exit with 2."""
    try:
        if not all(map(_installed, _NEEDED)):
            print("The command line needs its extra: pip install 'prodigy-storage[cli]'", file=sys.stderr)
            raise SystemExit(2)
        from prodigy_storage.cli.program import program  # noqa: PLC0415  # needs the extra

        program(args=None if arguments is None else list(arguments))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # it is blocked
        return False
