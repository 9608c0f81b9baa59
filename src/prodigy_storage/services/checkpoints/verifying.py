"""Whether a checkpoint is what it should be."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping

import attrs

from prodigy_storage.codecs.checkpoints import SETUP_ID, decode_info, decode_map, decode_reduce, decode_setup
from prodigy_storage.codecs.kinds import CHECKPOINT
from prodigy_storage.codecs.walks import walk
from prodigy_storage.errors import Corrupt
from prodigy_storage.model.jobs import Setup
from prodigy_storage.model.sessions import Phase
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Document, Query, Storage


@attrs.frozen(kw_only=True)
class Verdict:
    """What reading one checkpoint whole has found.

    Args:
        repo, job_id, id: Which one.
        phase: None if it cannot be read.
        place: Where it lies, for messages.
        reasons: What is wrong with it; empty if it is sound.
        quarantined: Whether it was moved aside just now.
    """

    repo: str
    job_id: str
    id: str
    phase: Phase | None
    place: str = ""
    reasons: tuple[str, ...] = ()
    quarantined: bool = False

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.reasons


def verdicts(storage: Storage, scope: tuple[str, str]) -> Iterator[Verdict]:
    """One verdict for each checkpoint of a job."""
    setup = _setup(storage, scope)
    items = {item.id for item in setup.items} if setup else None
    for page in walk(storage, Query(CHECKPOINT, scope)):
        for damage in page.damage:
            yield _verdict(scope, damage.id, None, damage.place, [damage.reason])
        for document in page.documents:
            yield _judged(document, items)


def _setup(storage: Storage, scope: Scope) -> Setup | None:
    found = storage.fetch(scope, CHECKPOINT, [SETUP_ID], fresh=True).get(SETUP_ID)
    try:
        return decode_setup(found) if found else None
    except Corrupt:
        return None


def _judged(document: Document, items: Container[str] | None) -> Verdict:
    phase = None
    try:
        info = decode_info(document)
        phase = info.phase
        reasons = list(_CHECKS[phase](document, items))
    except Corrupt as error:
        reasons = [error.reason]
    else:
        if info.job_id != document.scope[1]:
            reasons.append(f"it is one of job {info.job_id}")
        if phase is not Phase.SETUP and document.id.rpartition("-")[2] != str(info.number):
            reasons.append(f"its number is {info.number}")
    return _verdict(document.scope, document.id, phase, document.place, reasons)


def _verdict(scope: Scope, id: str, phase: Phase | None, place: str, reasons: list[str]) -> Verdict:
    return Verdict(repo=scope[0], job_id=scope[1], id=id, phase=phase, place=place, reasons=tuple(reasons))


def _of_setup(document: Document, _: Container[str] | None) -> Iterator[str]:
    setup = decode_setup(document)
    if setup.repo != document.scope[0]:
        yield f"it is one of project {setup.repo}"
    if len({item.id for item in setup.items}) != len(setup.items):
        yield "two items have the same id"


def _of_map(document: Document, items: Container[str] | None) -> Iterator[str]:
    info, state = decode_info(document), decode_map(document).state
    for name, said, found in (
        ("completed", info.completed, len(state.done)),
        ("dead letters", info.dead_letters, len(state.dead)),
    ):
        if said != found:
            yield f"it says {said} {name} and has {found}"
    strangers = [id for id in (*state.done, *state.dead, *state.failed) if items is not None and id not in items]
    if strangers:
        yield f"{len(strangers)} of its items are none of the job, such as {strangers[0]}"


def _of_reduce(document: Document, _: Container[str] | None) -> Iterator[str]:
    decode_reduce(document)
    yield from ()


_CHECKS: Mapping[Phase, Callable[[Document, Container[str] | None], Iterator[str]]] = {
    Phase.SETUP: _of_setup,
    Phase.MAP: _of_map,
    Phase.REDUCE: _of_reduce,
    Phase.COMPLETE: lambda *_: iter(["no checkpoint is of the phase Complete"]),
}
