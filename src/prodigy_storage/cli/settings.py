"""What the options common to all verbs say, and how a verb answers."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from prodigy_storage.cli.output import emit, say, shown

if TYPE_CHECKING:  # a help text needs none of them
    from rich.console import Console

    from prodigy_storage.cli.diagnostics import Diagnostic
    from prodigy_storage.opening import Effective
    from prodigy_storage.ports.storage import Damage
    from prodigy_storage.store import Store

NAME = "prodigy-storage"


class Settings:
    """The common options.

    Args:
        store: A store to use instead of opening one.

    Attributes:
        root: What `--root` said: a directory, absolute, or a URL; None if it was not given.
        config: What `--config` said: a file, absolute; None if it was not given.
        dialect: What `--dialect` said: how to write; None if it was not given.
        json: Whether the answer is one JSON object.
        debug: Whether errors show their traceback.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.root: str | None = None
        self.config: str | None = None
        self.dialect: str | None = None
        self.json = False
        self.debug = False
        self.store = store
        self._found: Effective | None = None

    def at(self, root: str) -> None:
        """Use this root.

        Raises:
            UsageError: it is empty, or a file.
        """
        if not root:
            raise click.UsageError("--root is empty; name a directory, or leave it out")
        if len(urlsplit(root).scheme) > 1:
            self.root = root
            return
        path = Path(root).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise click.UsageError(f"--root {root} is no directory")
        self.root = os.fspath(path)

    def configured(self, file: str) -> None:
        """Use this configuration file.

        Raises:
            UsageError: its name is empty.
        """
        if not file:
            raise click.UsageError("--config is empty; name a file, or leave it out")
        self.config = os.fspath(Path(file).expanduser().absolute())

    @property
    def found(self) -> Effective:
        """The settings that count.

        Raises:
            ConfigError: something that was said is not understood.
        """
        if self._found is None:
            from prodigy_storage.opening import effective  # noqa: PLC0415  # a help text does not need it

            said = None if self.dialect is None else {"dialect": self.dialect}
            self._found = effective(self.root, settings=said, config=self.config)
        return self._found

    @property
    def target(self) -> str:
        """Where the store is: a directory or a URL."""
        return self.found.target

    @property
    def directory(self) -> Path | None:
        """The directory of a store in files; None if it is of another kind."""
        return Path(self.target) if self.target == self.found.root else None

    @property
    def place(self) -> str:
        """The target as it is shown, the home directory as `~`."""
        return shown(self.target)

    def open(self) -> Store:
        """The store; a context manager."""
        if self.store is not None:
            return self.store
        from prodigy_storage.opening import open_effective  # noqa: PLC0415  # a help text does not need it

        for sentence in self.found.deprecations:
            say(f"deprecated: {sentence}")
        return open_effective(self.found)

    @property
    def prefix(self) -> str:
        """How a command to copy begins, for the same store."""
        other = ["--root", self.root] if self.root is not None and self.root != self._default() else []
        for option, value in (("--config", self.config), ("--dialect", self.dialect)):
            other += [option, value] if value is not None else []
        return shlex.join([_program(), *other])

    def _default(self) -> str | None:
        """The root without `--root`; None if that cannot be said."""
        from prodigy_storage.errors import ConfigError  # noqa: PLC0415  # a help text does not need it
        from prodigy_storage.opening import effective  # noqa: PLC0415  # likewise

        try:
            return effective(config=self.config).target
        except ConfigError:
            return None

    def command(self, *words: str) -> str:
        """A command to copy, for the same store."""
        return f"{self.prefix} {shlex.join(words)}"

    def console(self) -> Console:
        """Where results are shown."""
        from prodigy_storage.cli.screen import console  # noqa: PLC0415  # a help text does not need it

        return console(sys.stdout)

    def answer(self, data: Mapping[str, Any], damage: Sequence[Damage], show: Callable[[Console], None]) -> None:
        """Give the result, and exit with 1 if damage was found.

        Args:
            data: What `--json` prints.
            damage: What could not be read.
            show: Prints the result for people.
        """
        from prodigy_storage.cli.diagnostics import Diagnostic  # noqa: PLC0415  # a help text does not need it

        self.finish(data, [Diagnostic.of_damage(one) for one in damage], show)

    def finish(
        self,
        data: Mapping[str, Any],
        findings: Sequence[Diagnostic],
        show: Callable[[Console], None],
        *,
        status: str | None = None,
    ) -> None:
        """Give the result; exit with 1 unless `status`, or the lack of findings, says that all is well."""
        status = status or ("findings" if findings else "ok")
        if self.json:
            emit(status, data, findings)
        else:
            show(self.console())
            for finding in findings:
                say(finding.line())
        if status == "findings":
            raise click.exceptions.Exit(1)


def _program() -> str:
    """How this program is called: its name, or where it was started from if the name alone does not find it."""
    started = sys.argv[0]
    if Path(started).name != NAME or shutil.which(NAME) == shutil.which(started):
        return NAME
    return started
