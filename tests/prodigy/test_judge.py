"""The real program, built by `nox -s prodigy`, reads what we write in its dialect, and we read what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .checker import kind_of, offence, unpacked
from .checker_documents import REFUSED, TAKEN, VALUES
from .checker_samples import SAMPLES
from .judging import ABSENT, JUDGE, ask
from .verdicts import judged, recorded

pytestmark = pytest.mark.skipif(not JUDGE, reason=ABSENT)

CORPUS = Path(__file__).parent / "corpus"


def parsed(root, kind, documents):
    """What the program's reader says to each of these documents; one that is no text it never sees."""
    texts = [document.decode() for document in documents]
    return ask(root, [{"do": "parse", "kind": kind, "text": text} for text in texts])


def test_the_recorded_verdicts_are_those_of_the_program():
    """To each change of each sample the program still says what was recorded, and what the checker knows."""
    found = {}
    for sample in SAMPLES:
        found |= judged(sample)
    assert found == recorded()


def test_the_program_and_the_checker_agree_about_strange_documents(tmp_path):
    """What is taken although it looks strange, and what is refused for one reason, is so by the program, too."""
    documents = [*TAKEN.values(), *(document for document, _ in REFUSED.values() if b"\xff" not in document)]
    answers = parsed(tmp_path, "event-record", documents)
    assert [answer["ok"] for answer in answers] == [True] * len(TAKEN) + [False] * (len(answers) - len(TAKEN))


@pytest.mark.parametrize("form", VALUES)
def test_the_program_and_the_checker_agree_about_times_and_durations(tmp_path, form):
    """Each spelling is taken or refused by the program as the checker says."""
    kind, made, taken, refused = VALUES[form]
    answers = parsed(tmp_path, kind, [made(text) for text in (*taken, *refused)])
    accepted = {text for text, answer in zip((*taken, *refused), answers, strict=True) if answer["ok"]}
    assert accepted == set(taken)


def test_the_program_and_the_checker_agree_about_the_corpus(tmp_path):
    """Every file is taken by both, but for the lock that was left behind empty."""
    files = {path.relative_to(CORPUS).as_posix(): path for path in sorted(CORPUS.rglob("*")) if path.is_file()}
    kinds = {name: kind for name in files if (kind := kind_of(name))}
    documents = {name: unpacked(name, files[name].read_bytes()) for name in kinds}
    asked = [{"do": "parse", "kind": kinds[name], "text": documents[name].decode()} for name in kinds]
    verdicts = {name: answer["ok"] for name, answer in zip(kinds, ask(tmp_path, asked), strict=True)}
    assert verdicts == {name: offence(kinds[name], documents[name]) is None for name in kinds}
    assert [name for name, ok in verdicts.items() if not ok] == ["resume_locks/mapreduce-20250325_222222.lock"]
