"""Gzip files read piece by piece, in constant memory and without beginning anew for each piece."""

from __future__ import annotations

import os
import threading
import zlib
from collections import OrderedDict
from typing import Any

import attrs

from prodigy_storage.adapters.files.sources import CHUNK
from prodigy_storage.adapters.files.tree import read_at
from prodigy_storage.ports.storage import Damage

FINISHED = 1 << 62
"""The offset of a file that is read to its end, or to damage behind which nothing can be read."""
_KEPT = 4
_PIECE = 1 << 16


def is_gzip(data: bytes) -> bool:
    """Whether a file that begins so is gzip, whatever it is called."""
    return data.startswith(b"\x1f\x8b")


@attrs.define
class _State:
    """How far a file is decompressed: `rest` are plain bytes that were not given yet, `given` is where they begin."""

    decoder: Any = attrs.field(factory=lambda: zlib.decompressobj(31))
    consumed: int = 0
    given: int = 0
    rest: bytes = b""
    reason: str = ""
    ended: bool = False

    def grow(self, descriptor: int) -> None:
        """Decompress a piece more."""
        data = self.decoder.unconsumed_tail or read_at(descriptor, _PIECE, self.consumed)
        if not self.decoder.unconsumed_tail:
            self.consumed += len(data)
        if not data:
            self.ended = True
            self.reason = "" if self.decoder.eof else "gzip that ends too early"
            return
        try:
            self.rest += self.decoder.decompress(data, CHUNK)
        except zlib.error as error:
            self.ended, self.reason = True, f"damaged gzip, so its records are suspect: {error}"
        if self.decoder.eof and self.decoder.unused_data:  # archives may be strung together
            self.consumed -= len(self.decoder.unused_data)
            self.decoder = zlib.decompressobj(31)


class Inflated:
    """The files that are read at the moment, a few of them."""

    def __init__(self) -> None:
        self._states: OrderedDict[tuple[str, int, int, int], _State] = OrderedDict()
        self._guard = threading.Lock()

    def lines(self, place: str, descriptor: int, at: int) -> tuple[bytes, int, list[Damage]]:
        """About a megabyte of whole lines from a plain offset, the offset behind them, and damage.

        The offset is `FINISHED` when there is no more.
        """
        status = os.fstat(descriptor)
        key = (place, status.st_ino, status.st_mtime_ns, at)
        with self._guard:
            state = self._states.pop(key, None)
        if state is None:
            state = _skipped(descriptor, at)
        while len(state.rest) < CHUNK or b"\n" not in state.rest:
            if state.ended:
                return self._last(state, place)
            state.grow(descriptor)
        end = state.rest.rindex(b"\n") + 1
        data, state.rest = state.rest[:end], state.rest[end:]
        state.given += end
        with self._guard:
            self._states[*key[:3], state.given] = state
            if len(self._states) > _KEPT:
                self._states.popitem(last=False)
        return data, state.given, []

    @staticmethod
    def _last(state: _State, place: str) -> tuple[bytes, int, list[Damage]]:
        if state.reason:
            end = state.rest.rfind(b"\n") + 1
            return state.rest[:end], FINISHED, [Damage(place, max(0, state.consumed - _PIECE), state.reason)]
        data = state.rest if not state.rest or state.rest.endswith(b"\n") else state.rest + b"\n"
        return data, FINISHED, []

    @staticmethod
    def start(stored: bytes) -> bytes:
        """The first plain bytes, up to 64 KB; fewer if they are damaged."""
        try:
            return zlib.decompressobj(31).decompress(stored, _PIECE)
        except zlib.error:
            return b""


def _skipped(descriptor: int, at: int) -> _State:
    state = _State()
    while state.given < at and not state.ended:
        state.grow(descriptor)
        passed = min(len(state.rest), at - state.given)
        state.rest = state.rest[passed:]
        state.given += passed
    return state
