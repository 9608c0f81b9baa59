"""Construction of events at the speed of a log.

The `__init__` that attrs writes for a frozen class looks up a setter and the default of `event_type` for every object,
which is a third of its time; this one writes the members into the instance at once.
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

T = TypeVar("T")


def lean(cls: type[T]) -> type[T]:
    """Give a frozen attrs class without slots, converters and validators an `__init__` with the same signature."""
    members: dict[str, Any] = {}
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)  # type: ignore[arg-type]  # any attrs class
    for field in fields:
        if field.init:
            members[field.name] = field.default
    given = [name if default is attrs.NOTHING else f"{name}=_{name}" for name, default in members.items()]
    lines = [f"    members[{field.name!r}] = {field.name if field.init else repr(field.default)}" for field in fields]
    text = "\n".join((f"def __init__(self, {', '.join(given)}):", "    members = self.__dict__", *lines))
    names = {f"_{name}": default for name, default in members.items()}
    exec(text, names)  # noqa: S102  # names and tags of classes in this package
    init = names["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    init.__annotations__ = cls.__init__.__annotations__
    cls.__init__ = init  # type: ignore[method-assign]  # the same signature
    return cls
