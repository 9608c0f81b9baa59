"""Prodigy itself as the peer: loops of the real program, where `nox -s bench` has built its judge."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

NAME = "Prodigy 0.4.4"
_BUILT = Path(__file__).parents[1] / ".nox" / "judge-target" / "release" / "judge"
_JUDGE = Path(os.environ.get("PRODIGY_JUDGE") or _BUILT)


def available() -> bool:
    """Whether the program is there."""
    return _JUDGE.is_file()


def seconds(name: str, *words: str | Path | int) -> float:
    """How long the program took for one of its loops, measured by itself, without its start."""
    command = [str(_JUDGE), "bench", name, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["seconds"])
