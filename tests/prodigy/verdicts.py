"""What the real program said to each change of each sample, as recorded from it in `verdicts.txt`.

A line names a place and lists the changes that the program still accepted there; all others it refused. Where the
judge is at hand, `python -m tests.prodigy.verdicts` writes the file anew.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .checker_samples import SAMPLES, damages
from .judging import ABSENT, JUDGE, ask

FILE = Path(__file__).parent / "verdicts.txt"


def recorded():
    """The accepted changes, by sample and path."""
    found = {}
    for line in FILE.read_text("utf-8").splitlines():
        place, _, changes = line.partition(": ")
        name, _, path = place.partition(" ")
        found[name, path] = set(changes.split(", ")) - {""}
    return found


def judged(sample):
    """The same for one sample, from the program itself."""
    made = list(damages(sample))
    requests = [{"do": "parse", "kind": sample.partition("/")[0], "text": text} for *_, text in made]
    found = {}
    with tempfile.TemporaryDirectory() as root:
        for (path, change, _), answer in zip(made, ask(root, requests), strict=True):
            accepted = found.setdefault((sample, path), set())
            if answer["ok"]:
                accepted.add(change)
    return found


def main():
    """Ask the judge, and write down what it says."""
    if not JUDGE:
        raise SystemExit(ABSENT)
    lines = [
        f"{name} {path}: {', '.join(sorted(changes))}"
        for sample in SAMPLES
        for (name, path), changes in judged(sample).items()
    ]
    FILE.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
