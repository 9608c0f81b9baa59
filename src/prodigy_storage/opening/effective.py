"""Which settings count: defaults, then the file, then the environment, then what the caller said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from prodigy_storage.codecs.setting_layers import RULES, Given, Layer, Origin, Source, layer_of, settings_of
from prodigy_storage.codecs.settings import read_argument, read_file, read_word
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.settings import Reads, StorageSettings

Target = str | os.PathLike[str] | StorageSettings
ROOTS = ("PRODIGY_HOME", "PRODIGY_STORAGE_BASE_PATH", "PRODIGY_STORAGE_DIR", "PRODIGY_STORAGE_PATH")
"""Variables that name the root; the first one that is set counts."""
DEPRECATED = ROOTS[2:]
TYPE = "PRODIGY_STORAGE_TYPE"
CONFIG = "PRODIGY_STORAGE_CONFIG"
CONFIG_FILE = "config.yml"
_BASE = "backend_config.base_dir"
_GLOBAL = "backend_config.use_global"
_MEMORY = "memory:"


@attrs.frozen(kw_only=True)
class Effective:
    """The settings that count, and why.

    Args:
        settings: The values; `file.base_dir` and `memory.persistence_path` are absolute.
        origins: Where each of them came from, by its path.
        url: What opens the store instead of the settings: the URL of another backend; empty for our own.
        config: The configuration file that was read, or would be; None if none is looked for.
        deprecations: What was said in a deprecated way, one sentence each.
    """

    settings: StorageSettings
    origins: Mapping[str, Origin]
    url: str
    config: Path | None
    deprecations: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The place: a URL, or a directory."""
        return self.url or (_MEMORY if self.settings.backend == "memory" else self.root)

    @property
    def in_files(self) -> bool:
        """Whether it is our own backend for files."""
        return not self.url and self.settings.backend == "file"

    @property
    def root(self) -> str:
        """The directory of the file backend."""
        return self.settings.file.base_dir or os.fspath(_home_root())

    @property
    def saves_at_close(self) -> bool:
        """Whether the store is lost if nobody closes it."""
        return not self.url and self.settings.backend == "memory" and self.settings.memory.persist_to_disk

    @property
    def reopens(self) -> str | StorageSettings:
        """What opens the same store in another process."""
        return self.url or self.settings


def effective(
    target: Target | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Effective:
    """The settings that count for a store.

    Args:
        target: A directory, a URL, all settings as a value, or None.
        settings: Some settings, as they would stand under `storage:`.
        config: A configuration file; None: `$PRODIGY_STORAGE_CONFIG`, else `config.yml` in the root.

    Raises:
        ConfigError: something that was said is not understood or not allowed.
    """
    if isinstance(target, StorageSettings):
        if settings is not None or config is not None:
            raise ConfigError("settings as a value are complete; neither a file nor more settings can be added")
        return _resolved(_environment_root() | layer_of(target), None, "", ())
    named, url = _named(target)
    environment = _environment_root()
    deprecations = tuple(
        f"{name} is deprecated: call it PRODIGY_STORAGE_BASE_PATH" for name in DEPRECATED if os.environ.get(name)
    )
    if os.environ.get(TYPE):
        environment |= read_word("backend", os.environ[TYPE], Origin(Source.ENVIRONMENT, TYPE))
    said = _placed(read_argument(settings), Path.cwd()) | named
    rooted = target is None or _BASE in named
    file = _named_file(config) or (_root_file((environment | said).get(_BASE)) if rooted else None)
    layer = (_placed(_read(file), file.parent) if file and file.exists() else {}) | environment | said
    return _resolved(layer, file, url, deprecations)


def _named(target: str | os.PathLike[str] | None) -> tuple[Layer, str]:
    """What a target says as settings; or the URL of a backend that is not ours."""
    if target is None:
        return {}, ""
    text = os.fspath(target)
    scheme = urlsplit(text).scheme
    origin = Origin(Source.ARGUMENT, "target")
    if len(scheme) < 2 or ":" not in text:
        text = Path(text).expanduser().absolute().as_uri()
    parts = urlsplit(text)
    if parts.scheme not in ("file", "memory"):
        return {}, text
    if parts.query:
        raise ConfigError(f"{text}: {parts.query} is no option of this backend")
    if parts.scheme == "memory":
        return {"backend": Given("memory", origin)}, ""
    if parts.netloc not in ("", "localhost"):
        raise ConfigError(f"{text} names the host {parts.netloc}; a file URL is file:///path")
    return {"backend": Given("file", origin), _BASE: Given(unquote(parts.path), origin)}, ""


def _environment_root() -> Layer:
    for name in ROOTS:
        if os.environ.get(name):
            path = Path(os.environ[name]).expanduser().absolute()
            return {_BASE: Given(os.fspath(path), Origin(Source.ENVIRONMENT, name))}
    return {}


def _home_root() -> Path:
    return Path.home() / ".prodigy"


def _root_file(root: Given | None) -> Path:
    """The file in the root, which may be missing."""
    return Path(root.value if root else _home_root(), CONFIG_FILE)


def _named_file(config: str | os.PathLike[str] | None) -> Path | None:
    """The file that somebody named; None if nobody did."""
    named = os.fspath(config) if config is not None else os.environ.get(CONFIG)
    if not named:
        if config is not None:
            raise ConfigError("the configuration file has an empty name")
        return None
    file = Path(named).expanduser().absolute()
    if not file.exists():
        who = "" if config is not None else f" ({CONFIG} names it)"
        raise ConfigError(f"{file}: there is no such configuration file{who}")
    return file


def _read(file: Path) -> Layer:
    from prodigy_storage.opening.yaml_file import load  # noqa: PLC0415  # slow to load, and only a file needs it

    return read_file(load(file), os.fspath(file))


def _placed(layer: Layer, beside: Path) -> Layer:
    """The same with absolute paths; relative ones start where they were written."""
    return {
        path: attrs.evolve(given, value=os.fspath(beside / Path(given.value).expanduser()))
        if RULES[path].reads is Reads.PATH and given.value is not None
        else given
        for path, given in layer.items()
    }


def _resolved(layer: Layer, file: Path | None, url: str, deprecations: tuple[str, ...]) -> Effective:
    base = layer.get(_BASE) or Given(None, Origin(Source.DEFAULT))
    wanted = layer.get(_GLOBAL)
    if wanted is not None and wanted.value is False and base.origin.source <= wanted.origin.source:
        deprecations += (
            f"{wanted.origin.name}: false is deprecated: the store is in .prodigy of this directory alone",
        )
        base = Given(os.fspath(Path.cwd() / ".prodigy"), wanted.origin)
    if base.value is None:
        base = Given(os.fspath(_home_root()), Origin(Source.DEFAULT))
    layer = {**layer, _BASE: base}
    origins = {path: layer[path].origin if path in layer else Origin(Source.DEFAULT) for path in RULES}
    return Effective(settings=settings_of(layer), origins=origins, url=url, config=file, deprecations=deprecations)
