"""Which directories a project's name stands for: two of one name would share their data unseen."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import Codec
from prodigy_storage.codecs.kinds import PROJECT
from prodigy_storage.errors import Conflict
from prodigy_storage.model.projects import Project
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.storage import Batch, Expect, Put, Storage

_PROJECTS = Codec(Project)


class Projects:
    """`store.projects`. A name is remembered with every directory that was opened under it."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def claim(self, repo: str, path: str) -> list[str]:
        """Remember that `path` is opened under the name `repo`; gives the other paths that were.

        Args:
            repo: The name.
            path: A canonical path: absolute, links followed.
        """
        data = path.encode(errors="surrogateescape")
        id, text = sha256(data).hexdigest()[:32], data.decode(errors="replace")
        if not self._storage.fetch((repo,), PROJECT, [id]):
            body = _PROJECTS.encode(Project(path=text, claimed_at=self._clock.now()))
            with suppress(Conflict):  # somebody else was faster
                self._storage.commit(Batch((repo,), (Put(PROJECT, id, body, Expect.ABSENT),)))
        return [one.path for one in self.list(repo) if one.path != text]

    def claims(self) -> dict[str, list[Project]]:
        """The directories by name, for every name that was opened by a directory; sorted."""
        return {scope[0]: self.list(scope[0]) for scope in self._storage.scopes(PROJECT)}

    def list(self, repo: str) -> list[Project]:
        """The directories that were opened under a name, the first one first."""
        return Collection(self._storage, PROJECT, _PROJECTS).list((repo,)).values
