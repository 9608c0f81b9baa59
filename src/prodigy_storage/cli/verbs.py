"""Groups of verbs: loaded when they are used, with other names for some, and a suggestion for a mistyped one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

import click

from prodigy_storage.cli.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


class Verbs(click.Group):
    """A group of verbs.

    Args:
        lazy: By name, `module:attribute` of a verb that is imported when it is used, and its short help.
        aliases: Other names of verbs.
    """

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        aliases: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs |= {"invoke_without_command": True, "subcommand_metavar": "VERB …"}
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}
        self.aliases = aliases or {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # what click calls it with
        """The names, in the order in which they were declared."""
        return [*self.commands, *self.lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, imported if need be."""
        name = self.aliases.get(cmd_name, cmd_name)
        if name in self.lazy:
            module, _, attribute = self.lazy[name][0].partition(":")
            found: click.Command | None = getattr(import_module(module), attribute)
        else:
            found = super().get_command(ctx, name)
        if found is not None and ctx.resilient_parsing:
            from prodigy_storage.cli.completion import complete_names  # noqa: PLC0415  # only a shell needs it

            complete_names(found)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the arguments start with.

        Raises:
            UsageError: there is none of that name; suggests the nearest one.
        """
        names = [*self.list_commands(ctx), *self.aliases]
        if args and args[0] not in names:
            near = get_close_matches(args[0], names, n=1)
            what = f"{ctx.command_path.split()[-1]} {args[0]}" if ctx.parent else args[0]
            advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self.list_commands(ctx))}"
            raise click.UsageError(f"{what[:60]!r} is no verb; {advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their short help, without importing them."""
        rows = [(name, self._short_help(name)) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)

    def _short_help(self, name: str) -> str:
        return self.lazy[name][1] if name in self.lazy else self.commands[name].get_short_help_str(80)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; a group alone shows its help, below the program it is an error."""
        if not ctx._protected_args and not ctx.args:  # noqa: SLF001  # what click itself asks
            if ctx.parent:
                raise click.UsageError(f"{ctx.info_name} needs a verb: {' or '.join(self.list_commands(ctx))}", ctx)
            click.echo(ctx.get_help())
        return super().invoke(ctx)


def _root(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Settings).at(value)


def _config(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Settings).configured(value)


def _dialect(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Settings).dialect = value


def _json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Settings).json |= value


def _debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Settings).debug |= value


_DIALECTS = ("documented", "prodigy-0.4")
_COMMON = (
    click.option("--debug", is_flag=True, expose_value=False, callback=_debug, help="Show tracebacks of errors."),
    click.option("--json", is_flag=True, expose_value=False, callback=_json, help="Print one JSON object."),
    click.option(
        "--root",
        metavar="DIR",
        expose_value=False,
        callback=_root,
        help="Where everything is kept (default: $PRODIGY_HOME, else ~/.prodigy).",
    ),
    click.option(
        "--config",
        metavar="FILE",
        expose_value=False,
        callback=_config,
        help="Settings (default: $PRODIGY_STORAGE_CONFIG, else config.yml in the root).",
    ),
    click.option(
        "--dialect",
        metavar="NAME",
        type=click.Choice(_DIALECTS),
        expose_value=False,
        callback=_dialect,
        help="How to write: documented, or prodigy-0.4, so that Prodigy reads it (default: as the settings say).",
    ),
)


def common(command: F) -> F:
    """Add the options that every verb has; they count before and after the verb."""
    for option in _COMMON:
        command = option(command)
    return command


def example(*lines: str) -> str:
    """The end of a help text: examples as they would be typed."""
    return "\n".join(("\b", "Examples:", *(f"  prodigy-storage {line}" for line in lines)))


pass_settings = click.make_pass_decorator(Settings, ensure=True)
