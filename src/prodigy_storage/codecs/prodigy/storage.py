"""A storage into which nothing is written that Prodigy 0.4 cannot read."""

from __future__ import annotations

from typing import Any

import attrs

from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.json_text import write
from prodigy_storage.codecs.over import OverStorage
from prodigy_storage.codecs.prodigy.events import check_lines
from prodigy_storage.codecs.prodigy.exact import exact, exact_tree, shallow, unwritables
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.codecs.trees import encoded, parse, unsealed
from prodigy_storage.errors import Corrupt
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.prodigy.worktrees import WorktreeState
from prodigy_storage.model.sessions import Session
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Expect,
    Kind,
    Operation,
    Put,
    Receipt,
)

_TYPES: dict[str, type[Any]] = {
    kinds.SESSION.name: Session,
    kinds.DEAD_LETTER.name: DeadLetter,
    kinds.MAPPING.name: SessionJobMapping,
    kinds.WORKTREE.name: WorktreeState,
}
"""The kinds of document that Prodigy has too, and that have another form in the other dialect."""


class ProdigyStorage(OverStorage):
    """Another storage, written so that Prodigy 0.4 reads it.

    Documents lose their checksum on the way: Prodigy rewrites them, and nobody who edits one would renew it. New
    ones get Prodigy's spelling; of changed ones, what was not changed keeps its text. Bodies that the library did
    not make (copies of Prodigy's own files) pass as they are.
    """

    def commit(self, batch: Batch) -> Receipt:
        """Write a batch in the dialect.

        Raises:
            InvalidValue: Prodigy could not read a value back; names the field. Nothing happened.
        """
        operations = [self._spoken(batch.scope, operation) for operation in batch.operations]
        return self.inner.commit(attrs.evolve(batch, operations=operations))

    def said(self, kind: Kind, id: str, body: bytes) -> bytes:
        """A body of the library as a new one is written; of any other writer, as it is.

        Raises:
            InvalidValue: Prodigy could not read a value back; names the field.
        """
        bare, ours = unsealed(body)
        if not ours or kind.name not in _TYPES:
            return body
        return encoded(write(exact(_TYPES[kind.name], parse(bare), f"{kind.name} {id}")))

    def _spoken(self, scope: Scope, operation: Operation) -> Operation:
        if isinstance(operation, Append) and operation.stream == EVENTS:
            check_lines(operation.data)
        elif isinstance(operation, Put) and operation.kind.name in _TYPES:
            return attrs.evolve(operation, body=self._body(scope, operation))
        return operation

    def _body(self, scope: Scope, put: Put) -> bytes:
        known = {} if put.expect is Expect.ABSENT else self.inner.fetch(scope, put.kind, [put.id], fresh=True)
        if put.id not in known:
            return self.said(put.kind, put.id, put.body)
        bare = unsealed(put.body)[0]
        cls, tree, name = _TYPES[put.kind.name], parse(bare), f"{put.kind.name} {put.id}"
        before = _refusals(cls, known[put.id].body, name)
        for found in unwritables(exact_tree(cls, shallow(tree, name), name)):
            if str(found.error) not in before:
                raise found.error
        return bare


def _refusals(cls: type[Any], body: bytes, name: str) -> set[str]:
    """What is said of the values that are stored already and could not be written."""
    try:
        return {str(found.error) for found in unwritables(exact_tree(cls, parse(body), name))}
    except Corrupt:
        return set()
