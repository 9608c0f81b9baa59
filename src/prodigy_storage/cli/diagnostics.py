"""What went wrong, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from prodigy_storage.errors import (
    Ambiguous,
    ConfigError,
    Corrupt,
    Fenced,
    InvalidName,
    InvalidTransition,
    InvalidValue,
    Locked,
    NotFound,
    ReadOnly,
    StorageError,
    StorageFull,
    Unavailable,
    Unsupported,
)

if TYPE_CHECKING:  # a help text does not need it
    from prodigy_storage.ports.storage import Damage

_CODES: tuple[tuple[type[StorageError], int], ...] = (
    (Ambiguous, 2),
    (ConfigError, 2),
    (InvalidName, 2),
    (InvalidTransition, 2),
    (InvalidValue, 2),
    (Unsupported, 2),
    (NotFound, 3),
    (Fenced, 4),
    (Locked, 4),
    (Corrupt, 5),
    (ReadOnly, 7),
    (StorageFull, 7),
    (Unavailable, 7),
)


def exit_code(error: StorageError) -> int:
    """The program's exit code for an error of the library; 7 for whatever else the storage says."""
    return next((code for type, code in _CODES if isinstance(error, type)), 7)


@attrs.frozen(kw_only=True)
class Diagnostic:
    """One thing that went wrong; `path` and `offset` say where, `hint` what to do."""

    level: str = "error"
    code: str
    message: str
    hint: str = ""
    path: str = ""
    offset: int | None = None
    candidates: tuple[str, ...] = ()

    @classmethod
    def of_damage(cls, damage: Damage, level: str = "error") -> Diagnostic:
        """Something stored that cannot be read."""
        return cls(
            level=level, code="corrupt", message=damage.reason, path=damage.place or damage.id, offset=damage.offset
        )

    @classmethod
    def of_error(cls, error: StorageError) -> Diagnostic:
        """An error of the library."""
        return cls(
            code=error.code,
            message=error.message,
            hint=error.hint,
            path=error.place if isinstance(error, Corrupt) else "",
            offset=error.offset if isinstance(error, Corrupt) else None,
            candidates=error.candidates if isinstance(error, NotFound | Ambiguous) else (),
        )

    def json(self) -> dict[str, Any]:
        """The documented members, without those that have nothing to say."""
        said = attrs.asdict(self, filter=lambda _, value: value not in ("", (), None))
        if self.candidates:
            said["candidates"] = list(self.candidates)
        return said

    def line(self) -> str:
        """For people: the code, where, what; below it what to do."""
        where = f"{self.path}: " if self.path and self.path not in self.message else ""
        at = f"byte {self.offset}: " if self.offset is not None and f"byte {self.offset}" not in self.message else ""
        lines = [f"{self.code}: {where}{at}{self.message}"]
        lines += [f"  {candidate}" for candidate in self.candidates]
        lines += [f"  {line}" for line in self.hint.splitlines()]
        return "\n".join(lines)
