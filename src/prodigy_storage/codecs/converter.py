"""Between attrs classes and the trees of documents."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable
from datetime import datetime
from typing import Any, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from prodigy_storage.codecs.values import parse_time, time_text
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import ErrorType
from prodigy_storage.model.prodigy.values import Tagged
from prodigy_storage.model.sessions import Session, Timing
from prodigy_storage.model.values import Json


def _error_type(value: Any, _: object) -> ErrorType:
    if isinstance(value, str):
        return ErrorType(value)
    ((name, fields),) = value.items()
    return ErrorType(name, fields["exit_code"])


def _plain_error_type(value: ErrorType) -> Json:
    return value.name if value.exit_code is None else {value.name: {"exit_code": value.exit_code}}


def _tagged(value: Any, _: object) -> Tagged:
    if isinstance(value, str):
        return Tagged(value)
    ((name, content),) = value.items()
    return Tagged(name, content)


def _plain_tagged(value: Tagged) -> Json:
    return value.name if value.value is None else {value.name: value.value}


def _timing(value: Any, _: object) -> Timing:
    """A duration, as the object that Prodigy writes or the pair that it reads too."""
    secs, nanos = value if isinstance(value, list) else (value["secs"], value["nanos"])
    if type(secs) is not int or type(nanos) is not int:
        raise ValueError(f"a duration expected, not {value!r:.60}")
    return Timing(secs=secs, nanos=nanos)


def _number(value: Any, _: object) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"a number expected, not {value!r:.60}")
    return float(value)


def _has_absent(cls: Any) -> bool:
    return attrs.has(cls) and any(field.metadata.get("absent") for field in attrs.fields(cls))


def _without_absent(cls: Any, converter: cattrs.Converter) -> Callable[[Any], Any]:
    """Leaves out fields of `absent`."""
    left_out: Any = {
        field.name: override(omit_if_default=True) for field in attrs.fields(cls) if field.metadata.get("absent")
    }
    return make_dict_unstructure_fn(cls, converter, **left_out)


def is_json(annotation: object) -> bool:
    """Whether a type is that of free-form values."""
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
    converter.register_structure_hook_func(is_json, lambda value, _: value)
    converter.register_unstructure_hook_func(is_json, lambda value: value)
    for scalar in (str, int, bool):
        converter.register_structure_hook(scalar, _strict(scalar))
    converter.register_structure_hook(datetime, lambda value, _: parse_time(value))
    converter.register_unstructure_hook(datetime, time_text)
    converter.register_unstructure_hook_func(
        lambda cls: isinstance(cls, type) and issubclass(cls, enum.Enum), lambda e: e.value
    )
    converter.register_structure_hook(ErrorType, _error_type)
    converter.register_unstructure_hook(ErrorType, _plain_error_type)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Timing, _timing)
    converter.register_structure_hook(Tagged, _tagged)
    converter.register_unstructure_hook(Tagged, _plain_tagged)
    converter.register_unstructure_hook_factory(_has_absent, lambda cls: _without_absent(cls, converter))
    rare = override(omit_if_default=True)
    failure = make_dict_unstructure_fn(Failure, converter, error_context=rare, json_log_location=rare, session_id=rare)
    converter.register_unstructure_hook(Failure, failure)
    converter.register_unstructure_hook(DeadLetter, make_dict_unstructure_fn(DeadLetter, converter, claim=rare))
    converter.register_unstructure_hook(Session, make_dict_unstructure_fn(Session, converter, repo=rare, epoch=rare))
    return converter


CONVERTER = _make_converter()
"""From attrs classes to trees and back."""
