"""Documents: one JSON object each, with a checksum as its last member, written so that nothing unknown is lost.

A document that is changed is *patched*: the domain value before and after the change is compared, and only what
differs is written over the stored tree. So members that this version does not know, digits that it cannot hold and
the order of keys survive, whoever wrote them.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from prodigy_storage.codecs.patches import patched, same
from prodigy_storage.codecs.trees import Tree, damaged, dump, encoded, parse, seal, unsealed
from prodigy_storage.codecs.values import parse_time, time_text
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import ErrorType
from prodigy_storage.model.jobs import JobSummary
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.redrives import Redrive
from prodigy_storage.model.sessions import Session
from prodigy_storage.model.values import Json
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
    """How one type of value becomes a document and comes back."""

    type: type[T]

    def encode(self, value: T, over: Document | None = None) -> bytes:
        """The body of `value`; as a change of the document `over`, if it is given.

        Raises:
            InvalidValue: the value holds something that is no JSON.
        """
        after = cast("Tree", _CONVERTER.unstructure(value, self.type))
        if over is None:
            return dump(after)
        before = cast("Tree", _CONVERTER.unstructure(self.decode(over), self.type))
        if same(before, after):
            return over.body
        text = unsealed(over.body)[0].decode()
        return seal(encoded(patched(text, before, after)), pretty="\n" in text.rstrip())

    def decode(self, document: Document) -> T:
        """The value of a document.

        Raises:
            Corrupt: it is damaged, or lacks what the type needs.
        """
        return self._structure(parse(document.body, document.place), document.place)

    def load(self, document: Document) -> Loaded[T]:
        """The value of a document together with it."""
        return Loaded(self.decode(document), document)

    def _structure(self, tree: Tree, place: str) -> T:
        try:
            return _CONVERTER.structure(tree, self.type)
        except Exception as error:  # the converter raises whatever a field's hook raises
            raise damaged(place, None, f"it is no {self.type.__name__}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    nested = getattr(error, "exceptions", None)
    if nested:
        return _reason(nested[0])
    notes = [note for note in getattr(error, "__notes__", ()) if "attribute" in note]
    field = str(notes[0]).rsplit("attribute ", 1)[-1] + ": " if notes else ""
    text = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
    return field + (text or type(error).__name__)


def _error_type(value: Any, _: object) -> ErrorType:
    if isinstance(value, str):
        return ErrorType(value)
    ((name, fields),) = value.items()
    return ErrorType(name, fields["exit_code"])


def _plain_error_type(value: ErrorType) -> Json:
    return value.name if value.exit_code is None else {value.name: {"exit_code": value.exit_code}}


def _is_json(annotation: object) -> bool:
    return get_origin(annotation) in {Union, types.UnionType} and {str, int, float, bool, None.__class__} <= set(
        get_args(annotation)
    )


def _strict(cls: type[Any]) -> Any:
    def structure(value: Any, _: object) -> Any:
        if type(value) is not cls:
            raise ValueError(f"{cls.__name__} expected, not {value!r:.60}")
        return value

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    converter.register_structure_hook_func(_is_json, lambda value, _: value)
    converter.register_unstructure_hook_func(_is_json, lambda value: value)
    for scalar in (str, int, bool):
        converter.register_structure_hook(scalar, _strict(scalar))
    converter.register_structure_hook(datetime, lambda value, _: parse_time(value))
    converter.register_unstructure_hook(datetime, time_text)
    converter.register_unstructure_hook_func(
        lambda cls: isinstance(cls, type) and issubclass(cls, enum.Enum), lambda e: e.value
    )
    converter.register_structure_hook(ErrorType, _error_type)
    converter.register_unstructure_hook(ErrorType, _plain_error_type)
    rare = override(omit_if_default=True)
    failure = make_dict_unstructure_fn(Failure, converter, error_context=rare, json_log_location=rare, session_id=rare)
    converter.register_unstructure_hook(Failure, failure)
    converter.register_unstructure_hook(DeadLetter, make_dict_unstructure_fn(DeadLetter, converter, claim=rare))
    converter.register_unstructure_hook(Session, make_dict_unstructure_fn(Session, converter, repo=rare, epoch=rare))
    return converter


_CONVERTER = _make_converter()

DEAD_LETTERS = Codec(DeadLetter)
REDRIVES = Codec(Redrive)
SESSIONS = Codec(Session)
MAPPINGS = Codec(SessionJobMapping)
SUMMARIES = Codec(JobSummary)
