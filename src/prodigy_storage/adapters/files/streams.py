"""Streams as they are read: their segments, whoever wrote them, and where there are any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from prodigy_storage.adapters.files.cursors import unpack
from prodigy_storage.adapters.files.faults import translated
from prodigy_storage.adapters.files.foreign import foreign_names, segment_files
from prodigy_storage.adapters.files.fronts import Front, inside
from prodigy_storage.adapters.files.home import Home
from prodigy_storage.adapters.files.inflating import Inflated
from prodigy_storage.adapters.files.reading import Gone, Reading, judge
from prodigy_storage.adapters.files.segments import Listing, complete
from prodigy_storage.errors import Unavailable
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Chunk, Cursor

_LISTINGS = 50


class Streams:
    """Reads streams.

    Args:
        home: The store.
        sizes: How much of each live segment of this process is written, by path.
    """

    def __init__(self, home: Home, sizes: Callable[[], Mapping[str, int]]) -> None:
        self._home = home
        self._sizes = sizes
        self._inflated = Inflated()

    def read(self, scope: Scope, stream: str, after: Cursor | None, *, verify: bool) -> Chunk:
        """See `Storage.records`."""
        return self._listed(scope, stream, lambda: self._read(scope, stream, after, verify=verify))

    def _read(self, scope: Scope, stream: str, after: Cursor | None, *, verify: bool) -> Chunk:
        mark = unpack(after)
        folder, found = self._look(scope, stream, mark.low)
        mark.check(self._home.store_id(), found.top, self._home.tree.path(folder))
        dead = judge(found, mark, self._home.lives)
        tails = self._home.settle(scope).appends
        reading = Reading(
            tree=self._home.tree,
            folder=folder,
            found=found,
            dead=dead,
            sizes=self._sizes(),
            tails=tails,
            mark=mark,
            verify=verify,
            inflated=self._inflated,
        )
        return reading.run()

    def front(self, scope: Scope, stream: str, goes: Callable[[bytes], bool], after: Cursor | None) -> Chunk:
        """See `Pruning.front`."""
        return self._listed(scope, stream, lambda: self._front(scope, stream, goes, after))

    def _front(self, scope: Scope, stream: str, goes: Callable[[bytes], bool], after: Cursor | None) -> Chunk:
        mark = unpack(after)
        folder, found = self._look(scope, stream, mark.low)
        mark.check(self._home.store_id(), found.top, self._home.tree.path(folder))
        look = Front(
            tree=self._home.tree,
            folder=folder,
            found=found,
            dead=judge(found, mark, self._home.lives),
            tails=self._home.settle(scope).appends,
            mark=mark,
            inside=inside(after),
            goes=goes,
        )
        return look.run()

    def _look(self, scope: Scope, stream: str, low: int) -> tuple[str, Listing]:
        """The folder of a stream, and its segments."""
        tree = self._home.tree
        folder, stem = tree.layout.segments(stream, scope)
        found = complete(tree, folder, stem, low)
        found.foreign = foreign_names(tree, stream, scope)
        return folder, found

    def _listed(self, scope: Scope, stream: str, read: Callable[[], Chunk]) -> Chunk:
        """What `read` gives, which lists a folder again as long as files go between listing and opening."""
        with translated:
            for _ in range(_LISTINGS):
                with suppress(Gone):
                    return read()
        raise Unavailable(f"{self._home.tree.layout.segments(stream, scope)[0]} changes too fast to be listed")

    def scopes(self, stream: str) -> Iterator[Scope]:
        """Where there are segments with something in them."""
        tree = self._home.tree
        for place in tree.layout.stream_places(stream):
            for scope, folder in place.found(tree):
                files = segment_files(tree, stream, place, folder)
                if any(one.stat(follow_symlinks=False).st_size for one in files):
                    yield scope
