"""Documents: one JSON object each, with a checksum as its last member, written so that nothing unknown is lost.

A document that is changed is *patched*: the domain value before and after the change is compared, and only what
differs is written over the stored tree. So members that this version does not know, digits that it cannot hold and
the order of keys survive, whoever wrote them.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import attrs

from prodigy_storage.codecs.converter import CONVERTER
from prodigy_storage.codecs.json_text import write
from prodigy_storage.codecs.patches import patched, same
from prodigy_storage.codecs.trees import damaged, encoded, parse_as, seal, unsealed
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.jobs import JobSummary
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.redrives import Redrive
from prodigy_storage.model.sessions import Session
from prodigy_storage.ports.storage import Damage, Document

T = TypeVar("T")


@attrs.frozen
class Loaded(Generic[T]):
    """A value together with the document that it was read from."""

    value: T
    document: Document


@attrs.frozen
class Listing(Generic[T]):
    """What could be read, in the order of the walk, and what could not."""

    loaded: Sequence[Loaded[T]]
    damage: Sequence[Damage] = ()

    @property
    def values(self) -> list[T]:
        """The values alone."""
        return [loaded.value for loaded in self.loaded]


@attrs.frozen
class Codec(Generic[T]):
    """How one type of value becomes a document and comes back. One that another program wrote gets no checksum.

    Args:
        type: An attrs class.
        root: What the document is as JSON.
    """

    type: type[T]
    root: builtins.type[Any] = dict

    def encode(self, value: T, over: Document | None = None) -> bytes:
        """The body of `value`; as a change of the document `over`, if it is given.

        Raises:
            InvalidValue: the value holds something that is no JSON.
        """
        after = self._tree(value)
        if over is None:
            return self._finished(encoded(write(self._checked(after))))
        before = self._tree(self.decode(over))
        if same(before, after):
            return over.body
        bare, ours = unsealed(over.body)
        text = encoded(patched(bare.decode(), before, self._checked(after)))
        return self._finished(text) if ours else text

    def decode(self, document: Document) -> T:
        """The value of a document.

        Raises:
            Corrupt: it is damaged, or lacks what the type needs.
        """
        tree: Any = parse_as(self.root, document.body, document.place)
        try:
            return CONVERTER.structure(tree, self.type)
        except Exception as error:  # the converter raises whatever a field's hook raises
            raise damaged(document.place, None, f"it is no {self.type.__name__}: {_reason(error)}") from error

    def load(self, document: Document) -> Loaded[T]:
        """The value of a document together with it."""
        return Loaded(self.decode(document), document)

    def _tree(self, value: T) -> Any:
        return CONVERTER.unstructure(value, self.type)

    def _checked(self, tree: Any) -> Any:
        """The tree as a whole before it is written."""
        return tree

    def _finished(self, text: bytes) -> bytes:
        return seal(text, pretty=b"\n" in text.rstrip())


def _reason(error: BaseException) -> str:
    nested = getattr(error, "exceptions", None)
    if nested:
        return _reason(nested[0])
    notes = [note for note in getattr(error, "__notes__", ()) if "attribute" in note]
    field = str(notes[0]).rsplit("attribute ", 1)[-1] + ": " if notes else ""
    text = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
    return field + (text or type(error).__name__)


DEAD_LETTERS = Codec(DeadLetter)
REDRIVES = Codec(Redrive)
SESSIONS = Codec(Session)
MAPPINGS = Codec(SessionJobMapping)
SUMMARIES = Codec(JobSummary)
