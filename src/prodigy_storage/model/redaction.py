"""What is masked before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from prodigy_storage.errors import InvalidValue

MASK = "***"
"""What stands where a secret stood; shorter than any secret, so that masking ends."""
LEAST = len(MASK) + 1
"""How many characters a secret has at least: shorter ones would stand in everything by chance."""


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise InvalidValue("secrets and names are given as a list, even if there is one")
    texts = tuple(values)
    if not all(isinstance(text, str) for text in texts):
        raise InvalidValue("secrets and names are texts")
    return texts


def _secrets(values: Iterable[str]) -> tuple[str, ...]:
    secrets = tuple(dict.fromkeys(text.strip() for text in _texts(values)))
    for number, text in enumerate(secrets, 1):
        if len(text) < LEAST:
            raise InvalidValue(f"a secret has at least {LEAST} characters, unlike the one at place {number}")
        if re.search("[\ud800-\udfff]", text):
            raise InvalidValue(f"the secret at place {number} has half of a surrogate pair")
    return secrets


@attrs.frozen(kw_only=True)
class Redaction:
    """What is masked in every document and every record before it is stored.

    Args:
        secrets: Texts that must never be stored, of at least 4 characters; blanks around one are no part of it. Each
            occurrence inside a text or the name of a member becomes `***`. They are in no representation of this value.
        names: Patterns of names (`*_TOKEN`, `*password*`; case does not matter). What a member of such a name holds
            becomes `***`, whatever it is; only null, true and false stay.

    Raises:
        InvalidValue: a secret is too short, or a pattern fits every name; never shows a secret.
    """

    secrets: tuple[str, ...] = attrs.field(default=(), converter=_secrets, repr=False)
    names: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    def __attrs_post_init__(self) -> None:
        for name in self.names:
            if not name.strip("*?"):
                raise InvalidValue(f"the pattern {name!r} fits the name of every member")

    def __bool__(self) -> bool:
        return bool(self.secrets or self.names)
