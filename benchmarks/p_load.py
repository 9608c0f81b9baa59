"""P-load: list and load what Prodigy wrote, against the same values in a store of ours."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import Row, best

import prodigy_storage
from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.documents import DEAD_LETTERS
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.ports.storage import Batch, Durability, Put
from prodigy_storage.store import Store

COPIES = 60
_CORPUS = Path(__file__).parents[1] / "tests" / "prodigy" / "corpus"
_JOB = "mapreduce-20250310_081500"
_ITEMS = f"dlq/shop/{_JOB}/mapreduce/dlq/{_JOB}/items"
_EVENTS = f"events/shop/{_JOB}/events-20250310_081500.jsonl"


def files() -> Iterator[tuple[str, str]]:
    """Path and content of each file of a Prodigy store: many copies of a part of the corpus, each with its own names."""
    sources = [*_CORPUS.glob("sessions/*.json"), *_CORPUS.glob(f"{_ITEMS}/*.json"), _CORPUS / _EVENTS]
    for source in sources:
        name, text = source.relative_to(_CORPUS).as_posix(), source.read_text("utf-8")
        known = source.stem if source.parent.name == "sessions" else _JOB
        for copy in range(COPIES if source.suffix == ".json" else COPIES // 4):
            yield name.replace(known, f"{known}-{copy}"), text.replace(known, f"{known}-{copy}")


def prodigys(root: Path) -> Store:
    """A store that Prodigy could have written."""
    for name, text in files():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return prodigy_storage.open(root)


def copied(theirs: Store, root: Path) -> Store:
    """The same values in a store of ours."""
    ours = prodigy_storage.open(root)
    for session in theirs.sessions.list().values:
        ours.sessions.create(session)
    for loaded in theirs.dlq.list().loaded:
        put = Put(kinds.DEAD_LETTER, loaded.document.id, DEAD_LETTERS.encode(loaded.value))
        ours.storage.commit(Batch(loaded.document.scope, (put,), durability=Durability.OS))
    for repo in theirs.repos():
        for job in repo.jobs:
            with ours.events.logger(repo.name, job, durability=Durability.OS) as logger:
                for record in theirs.events.query(EventFilter(repo=repo.name, job=job)):
                    logger.log(record.event)
    return ours


WORKS: dict[str, Callable[[Store], int]] = {
    "sessions": lambda store: len(store.sessions.list().values),
    "dead letters": lambda store: len(store.dlq.list().values),
    "events": lambda store: sum(1 for _ in store.events.query(EventFilter())),
}


def run() -> list[Row]:
    """Measure both by turns."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        prodigys(Path(folder, "theirs")) as theirs,
        copied(theirs, Path(folder, "ours")) as ours,
    ):
        for name, work in WORKS.items():
            count = work(theirs)
            if count != work(ours):
                raise AssertionError(f"the {name} are not the same: {count} and {work(ours)}")
            prodigy, own = best(lambda work=work: work(theirs), lambda work=work: work(ours))
            rows.append(
                Row(
                    name="Pload",
                    work=f"list and load {count} {name} of Prodigy",
                    ours=prodigy,
                    peer=own,
                    peer_name="a store of ours",
                    limit=1.5,
                    sense="at most",
                    units=count,
                )
            )
    return rows
