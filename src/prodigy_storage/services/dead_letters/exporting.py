"""Dead letters as files for other programs: a JSON array, or CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from prodigy_storage.codecs.documents import DEAD_LETTERS, Loaded
from prodigy_storage.codecs.tabular import csv_lines
from prodigy_storage.codecs.trees import parse
from prodigy_storage.codecs.values import encode_value, time_text
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.dead_letters_analysis import Analysis, Pattern
from prodigy_storage.ports.storage import Document

_HEADER = (
    "repo",
    "job_id",
    "item_id",
    "failure_count",
    "first_attempt",
    "last_attempt",
    "error_type",
    "error_message",
    "error_signature",
    "reprocess_eligible",
    "manual_review_required",
    "item_data",
)


def json_lines(letters: Iterable[Loaded[DeadLetter]]) -> Iterator[str]:
    """A pretty JSON array of the items in their form on disk, piece by piece."""
    before = "[\n"
    for loaded in letters:
        yield before + json.dumps(tree(loaded.document), ensure_ascii=False, indent=2)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def tree(document: Document) -> Mapping[str, object]:
    """The members of a document in their form on disk, without the checksum."""
    return parse(document.body, document.place)


def table(letters: Iterable[Loaded[DeadLetter]]) -> Iterator[str]:
    """CSV with one row for each item: what it is, and its last failure."""
    return csv_lines(_HEADER, map(_row, letters))


def _row(loaded: Loaded[DeadLetter]) -> list[object]:
    letter = loaded.value
    return [
        *loaded.document.scope,
        letter.item_id,
        letter.failure_count,
        time_text(letter.first_attempt),
        time_text(letter.last_attempt),
        str(letter.error_type),
        letter.error_message,
        letter.error_signature,
        *("yes" if flag else "no" for flag in (letter.reprocess_eligible, letter.manual_review_required)),
        encode_value(letter.item_data, "an item").decode(),
    ]


def analysis_tree(analysis: Analysis) -> Mapping[str, object]:
    """An analysis as JSON: Prodigy's `FailureAnalysis` with textual keys, and what we know beyond it."""
    return {
        "total_items": analysis.total,
        "pattern_groups": [_pattern_tree(pattern) for pattern in analysis.patterns],
        "error_distribution": analysis.error_distribution,
        "temporal_distribution": [[time_text(hour), count] for hour, count in analysis.temporal_distribution],
        "since": analysis.since and time_text(analysis.since),
    }


def _pattern_tree(pattern: Pattern) -> Mapping[str, object]:
    return {
        "signature": pattern.signature,
        "count": pattern.count,
        "first_occurrence": time_text(pattern.first),
        "last_occurrence": time_text(pattern.last),
        "sample_items": [parse(DEAD_LETTERS.encode(letter)) for letter in pattern.samples],
        "retries": pattern.retries,
        "retries_succeeded": pattern.succeeded,
        "verdict": pattern.verdict.value,
        "new": pattern.new,
    }


FORMATS: Mapping[str, Callable[[Iterable[Loaded[DeadLetter]]], Iterator[str]]] = {"json": json_lines, "csv": table}
"""How each format is written."""
