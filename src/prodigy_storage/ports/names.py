"""The one rule for names, checked before anything is written, alike for every backend."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from prodigy_storage.errors import InvalidName

MAX_NAME_BYTES = 250

Scope: TypeAlias = tuple[str, ...]
"""Where a batch is atomic: `()` the whole store, `(repo,)` a project, `(repo, job)` a job."""


@lru_cache(maxsize=8192)
def check_name(name: str) -> str:
    """Return `name` if it is 1 to 250 bytes of UTF-8 without NUL and without surrogates.

    Raises:
        InvalidName: it is not; says why.
    """
    if not isinstance(name, str):
        raise InvalidName(f"a name must be text, not {type(name).__name__}")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise InvalidName(f"the name {name!r} has a lone surrogate at {error.start}") from error
    if not 1 <= size <= MAX_NAME_BYTES:
        raise InvalidName(f"the name {name[:40]!r} has {size} bytes; allowed are 1 to {MAX_NAME_BYTES}")
    if "\0" in name:
        raise InvalidName(f"the name {name!r} has a NUL character")
    return name


@lru_cache(maxsize=8192)
def check_scope(scope: Scope) -> Scope:
    """Return `scope` if it is a tuple of at most two names.

    Raises:
        InvalidName: it is not.
    """
    if type(scope) is not tuple or len(scope) > 2:
        raise InvalidName(f"a scope is a tuple of at most two names (repo, job), not {scope!r}")
    for name in scope:
        check_name(name)
    return scope


def scope_of(repo: str | None, job: str | None) -> Scope:
    """The scope of everything (both None), of a project, or of a job of a project.

    Raises:
        InvalidName: a job is named without its project, or a name is not storable.
    """
    if job is not None and repo is None:
        raise InvalidName("a job is named together with its project")
    return check_scope(tuple(name for name in (repo, job) if name is not None))
