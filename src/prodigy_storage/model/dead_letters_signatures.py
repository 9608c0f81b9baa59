"""What an error message tells: the kind of failure, and the pattern that all failures of one cause share."""

from __future__ import annotations

import re

import attrs


@attrs.frozen
class ErrorType:
    """What kind of failure it was: one of Prodigy's names, with the exit code of `CommandFailed`."""

    name: str
    exit_code: int | None = None

    def __str__(self) -> str:
        return self.name if self.exit_code is None else f"{self.name}({self.exit_code})"


UNKNOWN = ErrorType("Unknown")

_EXIT_CODE = re.compile(r"(?:exit code|exit status|exited with code|status code)[ :=]*(-?\d+)", re.IGNORECASE)
_SIGNAL = re.compile(r"died with <Signals\.\w+: (\d+)>")
_EXCEPTION = re.compile(r"(?:\w+\.)*([A-Z]\w*|timeout)(?::|$)")
_NAMED = (
    ("Timeout", re.compile(r"\w*(?:Timeout|TimedOut|DeadlineExceeded)\w*|timeout")),
    ("ResourceExhausted", re.compile(r"MemoryError|RecursionError|ResourceExhausted\w*|\w*(?:RateLimit|Quota)\w*")),
    ("CommitValidationFailed", re.compile(r"CommitValidation\w*")),
    ("MergeConflict", re.compile(r"\w*MergeConflict\w*")),
    ("WorktreeError", re.compile(r"\w*Worktree\w*")),
    ("ValidationFailed", re.compile(r"\w*Validation\w*|JSONDecodeError|Unicode(?:De|En)codeError")),
    (
        "Unknown",
        re.compile(
            r"(?:Assertion|Attribute|Import|Indentation|Index|Key|Lookup|ModuleNotFound|Name|NotImplemented|Syntax|Tab|Type"
            r"|UnboundLocal|ZeroDivision)Error"
        ),
    ),
)
_TELLING = (
    ("Timeout", re.compile(r"time ?out|timed out", re.IGNORECASE)),
    ("CommitValidationFailed", re.compile(r"commit (?:required|validation)", re.IGNORECASE)),
    ("MergeConflict", re.compile(r"merge conflict", re.IGNORECASE)),
    ("WorktreeError", re.compile(r"worktree", re.IGNORECASE)),
    (
        "ResourceExhausted",
        re.compile(
            r"out of memory|no space left|too many open files|quota exceeded|too many requests|rate limit|resource",
            re.IGNORECASE,
        ),
    ),
    ("ValidationFailed", re.compile(r"validation", re.IGNORECASE)),
)


def error_type_of(message: str) -> ErrorType:
    """The kind of failure that an error message tells of; `Unknown` if it tells of none.

    An exit code decides, then the name of the exception that the message begins with, then its words.
    """
    code = _EXIT_CODE.search(message)
    if code:
        return ErrorType("CommandFailed", int(code.group(1)))
    signal = _SIGNAL.search(message)
    if signal:
        return ErrorType("CommandFailed", -int(signal.group(1)))
    exception = _EXCEPTION.match(message)
    named = exception and next((name for name, names in _NAMED if names.fullmatch(exception.group(1))), None)
    return ErrorType(named or next((name for name, pattern in _TELLING if pattern.search(message)), "Unknown"))


_FILE_TYPES = (
    "c|cfg|conf|cpp|css|csv|db|go|gz|h|html|ini|ipynb|java|jpg|js|json|jsonl|jsx|lock|log|md|parquet|pdf|png|py|pyi|rb"
    "|rs|sh|so|sql|sqlite|tar|tmp|toml|ts|tsx|txt|xml|ya?ml|zip|zst"
)
_VOLATILE = (
    (
        re.compile(
            r"(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d)(?![A-Za-z]))?)?"
        ),
        "<time>",
    ),
    (re.compile(r"(?<!\d)\d\d:\d\d:\d\d(?:[.,]\d+)?(?!\d)"), "<time>"),
    (
        re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"),
        "<id>",
    ),
    (re.compile(r"(?<![0-9A-Za-z])0x[0-9a-fA-F]+(?![0-9A-Za-z])"), "<address>"),
    (re.compile(r"""(?<!\w)(?P<q>['"`])(?=[^'"`]*[/\\])[^'"`]+(?P=q)"""), "<path>"),
    (re.compile(r"(?:(?<!\w)[A-Za-z]:)?[\w.~+@%-]*(?:[/\\][\w.@+~%-]+)+[/\\]?"), "<path>"),
    (re.compile(rf"""(?<!\w)(?P<q>['"`])[^'"`/\\]+\.(?:{_FILE_TYPES})(?P=q)"""), "<path>"),
    (re.compile(rf"(?<!\w)[\w.-]+\.(?:{_FILE_TYPES})(?!\w)"), "<path>"),
    (
        re.compile(
            r"(?<![0-9A-Za-z])(?=[0-9a-fA-F]*\d)(?=[0-9]*[a-fA-F])[0-9a-fA-F]{7,128}(?![0-9A-Za-z])"
            r"|(?<![0-9A-Za-z])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[0-9A-Za-z]{20,128}(?![0-9A-Za-z])"
        ),
        "<id>",
    ),
    (re.compile(r"(?<![A-Za-z])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"), "<n>"),
)
_MAX_SIGNATURE = 200


def signature(message: str) -> str:
    """The pattern of an error message: its first line, without what changes from one failure to the next.

    Paths, numbers, ids (UUIDs, hexadecimal ones from 7 characters, other mixed ones from 20), addresses and times
    become placeholders. A number that is glued to letters (`utf8`) stays.
    """
    line = next((text.strip() for text in message.splitlines() if text.strip()), "")
    for pattern, name in _VOLATILE:
        line = pattern.sub(name, line)
    return " ".join(line.split())[:_MAX_SIGNATURE]
