"""The input of the job: which files there are, and what one of them holds."""

from __future__ import annotations

import ast
import hashlib
import os
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import quote

import attrs

from prodigy_storage.model.values import Json

_SKIPPED = frozenset({"site-packages"})
_SAFE_BYTES = 200


def default_input() -> Path:
    """The standard library of the running Python."""
    return Path(sysconfig.get_path("stdlib"))


def find(directory: Path) -> dict[str, Json]:
    """Every `.py` file below `directory` by its item id, in the order of the paths.

    Links are not followed; what lies below a `site-packages` folder is left out.
    """
    paths = sorted(os.fsencode(path) for path in _walk(directory))
    return {item_id(os.fsdecode(path)): _data(path) for path in paths}


def _walk(directory: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(directory, onerror=_raise):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in files:
            path = Path(folder, name)
            if name.endswith(".py") and path.is_file() and not path.is_symlink():
                yield path.relative_to(directory).as_posix()


def _raise(error: OSError) -> None:
    raise error


def item_id(path: str) -> str:
    """The path itself where it can be a name in every store, else its readable part and a digest."""
    readable = path.encode(errors="backslashreplace").decode()
    if readable == path and len(quote(path, safe="")) <= _SAFE_BYTES:
        return path
    digest = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    return f"{readable[-40:].encode()[-60:].decode(errors='ignore')}-{digest}"


def _data(path: bytes) -> Json:
    text = os.fsdecode(path)
    readable = text.encode(errors="backslashreplace").decode()
    return {"path": readable} if readable == text else {"path": readable, "bytes": path.hex()}


@attrs.frozen
class Counts:
    """What is counted: lines are newline bytes, functions and classes are definitions at any depth."""

    files: int
    lines: int
    functions: int
    classes: int

    @classmethod
    def of(cls, value: Json) -> Counts:
        """The counts that were stored as a JSON object."""
        return cls(**cast("dict[str, int]", value))

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.files + other.files,
            self.lines + other.lines,
            self.functions + other.functions,
            self.classes + other.classes,
        )


def parse(directory: Path, data: Json) -> Counts:
    """Count one file. Raises whatever reading or `ast.parse` raises."""
    assert isinstance(data, dict)
    path = os.fsdecode(bytes.fromhex(str(data["bytes"]))) if "bytes" in data else str(data["path"])
    source = (directory / path).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source, filename=Path(path).name)
    nodes = [type(node) for node in ast.walk(tree)]
    functions = nodes.count(ast.FunctionDef) + nodes.count(ast.AsyncFunctionDef)
    return Counts(1, source.count(b"\n"), functions, nodes.count(ast.ClassDef))


def package(path: str) -> str:
    """The top-level package of a path; a module at the top is its own."""
    top, _, rest = path.partition("/")
    return top if rest else top.removesuffix(".py")
