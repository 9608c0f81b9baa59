"""Settings from plain trees, strictly: what is not understood is refused, with its place and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypeAlias

from prodigy_storage.codecs.quantities import duration, size
from prodigy_storage.codecs.setting_layers import BLOCKS, RULES, Given, Layer, Origin, Source, rules
from prodigy_storage.errors import ConfigError, InvalidValue
from prodigy_storage.model.settings import Reads, Rule, check

Tree: TypeAlias = Mapping[Any, Any]

BLOCK = "storage"
_OLDER = {"base_path": "backend_config.base_dir", "compression_level": "backend_config.enable_compression"}
_REQUIRED = {"backend", "backend_config"}
"""What each storage configuration that Prodigy itself writes has at its top."""
_OLDER_WORDS = {"filesystem": "file"}
_LEVEL = Rule(reads=Reads.COUNT)
_NEIGHBOURS = (
    *("log_level", "claude_api_key", "max_concurrent_specs", "auto_commit", "default_editor", "prodigy_home"),
    *("project", "plugins", "name", "description", "version", "spec_dir", "variables", "checkpoint"),
)
"""What else stands in a configuration file of Prodigy; not ours to judge."""


def read_file(tree: object, place: str) -> Layer:
    """The settings in the tree of a configuration file, whose other known keys are passed by.

    A file that is one storage configuration of Prodigy's, without `storage:` above it, is read as that block.

    Args:
        tree: What the file holds.
        place: The file, for errors and origins.

    Raises:
        ConfigError: a key is unknown or a value is not allowed; says which, where, and what is.
    """
    if isinstance(tree, Mapping) and tree.keys() >= _REQUIRED and BLOCK not in tree:
        return dict(_read(tree, f"{place}: ", "", Source.FILE))
    known = (BLOCK, *_NEIGHBOURS)
    for key in _members(tree, place, ""):
        if key in RULES or key in BLOCKS:
            raise ConfigError(f"{place}: {key} stands under {BLOCK}:, not at the top")
        if key not in known:
            raise _unknown(f"{place}: {key}", str(key), known)
    block = _members(tree, place, "").get(BLOCK)
    return dict(_read(block, f"{place}: ", BLOCK, Source.FILE))


def read_argument(tree: object) -> Layer:
    """The settings in a mapping that a caller gave; lengths of time may be `timedelta` too.

    Raises:
        ConfigError: as `read_file`.
    """
    return dict(_read(tree, "", "settings", Source.ARGUMENT))


def read_word(path: str, text: str, origin: Origin) -> Layer:
    """One setting from a text, such as a variable.

    Raises:
        ConfigError: it is not allowed.
    """
    return {path: Given(_value(origin.name, RULES[path], text), origin)}


def _read(tree: object, before: str, name: str, source: Source) -> Iterator[tuple[str, Given]]:
    found: Layer = {}
    for path, rule, spelling, value in _walk(tree, before, name):
        full = _below(name, spelling)
        if path in found:
            raise ConfigError(f"{before}{full} and {found[path].origin.name} say the same; keep one of them")
        read = _compression(before + full, value) if rule is _LEVEL else _value(before + full, rule, value)
        if read is not None:
            found[path] = Given(read, Origin(source, before + full))
    yield from found.items()


def _walk(tree: object, before: str, name: str) -> Iterator[tuple[str, Rule, str, object]]:
    """Path, rule, spelling and value of everything in a `storage:` block."""
    top = rules("")
    for key, value in _members(tree, before, name).items():
        if key in top:
            yield key, top[key], key, value
        elif key in _OLDER:
            path = _OLDER[key]
            yield path, _LEVEL if key == "compression_level" else RULES[path], key, value
        elif key in BLOCKS and key:
            yield from _walk_block(value, before, name, key)
        else:
            raise _unknown(before + _below(name, key), str(key), (*top, *BLOCKS))


def _walk_block(tree: object, before: str, name: str, block: str) -> Iterator[tuple[str, Rule, str, object]]:
    full = _below(name, block)
    members = _members(tree, before, full)
    for key, value in members.items():
        nested = [member for member, _ in BLOCKS[block] if member == key and member != block]
        if nested:
            inner = rules(block, *nested)
            for one, given in _members(value, before, f"{full}.{key}").items():
                if f"{block}.{one}" not in inner:
                    raise _unknown(f"{before}{full}.{key}.{one}", str(one), _leaves(inner))
                yield f"{block}.{one}", inner[f"{block}.{one}"], f"{block}.{key}.{one}", given
        elif (path := f"{block}.{key}") in RULES:
            yield path, RULES[path], path, value
        else:
            raise _unknown(f"{before}{full}.{key}", str(key), _leaves(rules(block)))


def _members(tree: object, before: str, name: str) -> Tree:
    if tree is None:
        return {}
    if not isinstance(tree, Mapping):
        where = f"{before}{name}" if name else before
        raise ConfigError(f"{where} is {tree!r:.60}; it must be a block of settings")
    return tree


def _below(name: str, key: object) -> str:
    return f"{name}.{key}" if name else f"{key}"


def _leaves(paths: Iterable[str]) -> list[str]:
    return [path.rpartition(".")[2] for path in paths]


def _unknown(path: str, key: str, known: Iterable[str]) -> ConfigError:
    names = dict(zip(_leaves(RULES), RULES, strict=True)) | {name: name for name in known}
    near = get_close_matches(key, names, n=1)
    advice = f"Did you mean {names[near[0]]}? " if near else ""
    return ConfigError(f"{path} is not a setting", hint=f"{advice}All settings: prodigy-storage config show")


def _value(name: str, rule: Rule, value: object) -> object:
    try:
        if rule.reads is Reads.SIZE and isinstance(value, str):
            value = size(value)
        elif rule.reads is Reads.DURATION:
            value = value if isinstance(value, timedelta) else duration(value if isinstance(value, str) else f"{value}")
        elif rule.reads is Reads.WORD and isinstance(value, str):
            value = _OLDER_WORDS.get(value, value)
        elif rule.reads is Reads.NUMBER and type(value) is int:
            value = float(value)
    except InvalidValue as error:
        raise ConfigError(f"{name}: {error}") from error
    check(name, rule, value)
    return value


def _compression(name: str, value: object) -> bool:
    """A level of the older block: 0 is none; there is one kind of compression for all others."""
    check(name, _LEVEL, value)
    if not isinstance(value, int) or value > 9:
        raise ConfigError(f"{name} is {value}; it must be 0 to 9")
    return value > 0
