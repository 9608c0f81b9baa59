"""Segments: the files of a stream, their names, and what a folder of them looks like.

A name is `{stem}-{time}-{number}-{writer}[+{base}].jsonl[.zst]`. Numbers grow within a stream and never come back.
`base` bytes were cut off the front; offsets are logical, so cutting and compressing leave them as they are.
Any other `{stem}-….jsonl` was written by somebody else and has no number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import attrs

from prodigy_storage.adapters.files.times import stamp
from prodigy_storage.adapters.files.tree import Tree

_NAME = re.compile(
    r"(?P<head>[^+]+-(?P<number>[0-9]{8,18})-(?P<writer>[0-9a-f]{32}))(?:\+(?P<base>[0-9]{1,20}))?\.jsonl"
)
PACKED = ".zst"


@attrs.frozen
class Segment:
    """One file of a numbered segment."""

    folder: str
    name: str
    head: str
    number: int
    writer: str
    base: int
    packed: bool

    @property
    def path(self) -> str:
        """Relative to the root."""
        return f"{self.folder}/{self.name}"

    def cut(self, base: int) -> str:
        """The path of the same segment without its first `base` bytes."""
        return f"{self.folder}/{self.head}+{base}.jsonl"


def new_name(stem: str, number: int, writer: str) -> str:
    """The name of a new segment."""
    return f"{stem}-{stamp()}-{number:08d}-{writer}.jsonl"


def parse(folder: str, name: str) -> Segment | None:
    """What a file name says; None if it is no numbered segment."""
    packed = name.endswith(PACKED)
    found = _NAME.fullmatch(name.removesuffix(PACKED))
    if found is None:
        return None
    base = int(found["base"] or 0)
    return Segment(folder, name, found["head"], int(found["number"]), found["writer"], base, packed)


@attrs.define
class Listing:
    """The segments of one stream at one moment.

    Args:
        best: The file to read for each number: the greatest base, raw before compressed.
        spare: The other files of those numbers.
        foreign: Names of segments without a number, sorted.
    """

    best: dict[int, Segment] = attrs.field(factory=dict)
    spare: list[Segment] = attrs.field(factory=list)
    foreign: list[str] = attrs.field(factory=list)

    @property
    def top(self) -> int:
        """The highest number; 0 if there is none."""
        return max(self.best, default=0)

    def missing(self, low: int) -> bool:
        """Whether a number from `low` to the top has no file."""
        return sum(number >= low for number in self.best) < self.top - low + 1

    def last_of(self) -> dict[str, int]:
        """The highest number of each writer: only that one can be live."""
        return {self.best[number].writer: number for number in sorted(self.best)}

    def add(self, one: Segment) -> None:
        """Take in a numbered file."""
        other = self.best.get(one.number)
        if other is None:
            self.best[one.number] = one
            return
        better = max(other, one, key=lambda each: (each.base, not each.packed))
        self.best[one.number] = better
        self.spare.append(one if better is other else other)


def listing(tree: Tree, folder: str, stem: str) -> Listing:
    """Look at a folder of segments."""
    found = Listing()
    prefix = f"{stem}-"
    for entry in tree.entries(folder):
        name = entry.name
        if not name.startswith(prefix):
            continue
        one = parse(folder, name)
        if one is not None:
            found.add(one)
        elif name.endswith(".jsonl"):
            found.foreign.append(name)
    found.foreign.sort()
    return found


def complete(tree: Tree, folder: str, stem: str, low: int) -> Listing:
    """Look until no number seems to be missing by chance: a directory is not read in one moment."""
    found = listing(tree, folder, stem)
    return listing(tree, folder, stem) if found.missing(max(low, min(found.best, default=low))) else found


def sealed(found: Listing, lives: Callable[[str], bool], numbers: Iterable[int]) -> set[int]:
    """Which of the segments nobody appends to any more; judge this before you read them."""
    last = found.last_of()
    return {
        number
        for number in numbers
        if last[found.best[number].writer] != number or not lives(found.best[number].writer)
    }
