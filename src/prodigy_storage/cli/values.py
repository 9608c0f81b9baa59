"""Values of options, as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from prodigy_storage.errors import InvalidValue


def value(convert: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback of an option that reads its text; what cannot be read is wrong usage."""

    def callback(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> Any:
        try:
            return None if text is None else convert(text)
        except (InvalidValue, ValueError) as error:
            raise click.BadParameter(str(error)) from error

    return callback
