"""Working copies as git worktrees, by the `git` program."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from prodigy_storage.errors import CheckoutFailed, InvalidName, WorkAtRisk
from prodigy_storage.ports.checkouts import Checkout
from prodigy_storage.ports.names import check_name

_SECONDS = 120.0
_REASON = 200


class GitCheckouts:
    """Worktrees at `{folder}/{repo}/{name}`; see `ports.checkouts.Checkouts`.

    Args:
        folder: Where they lie; it is made when the first one is.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = os.path.realpath(folder)

    def path(self, repo: str, name: str) -> str:
        """See `Checkouts.path`."""
        for part in (repo, name):
            if "/" in check_name(part) or part.startswith("."):
                raise InvalidName(f"{part!r} is no name of a worktree's folder: no slash, no dot in front")
        return os.path.join(self._folder, repo, name)  # noqa: PTH118  # likewise

    def names(self) -> Sequence[tuple[str, str]]:
        """See `Checkouts.names`."""
        return [(repo, name) for repo in _folders(self._folder) for name in _folders(f"{self._folder}/{repo}")]

    def create(self, repo: str, name: str, *, project: str, branch: str, base: str | None = None) -> Checkout:
        """See `Checkouts.create`."""
        path = self.path(repo, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120  # likewise
        _git(project, "worktree", "add", "--quiet", "-b", branch, "--", path, *([base] if base else []))
        return Checkout(path=path, branch=branch, uncommitted=0, unmerged=0)

    def look(self, path: str) -> Checkout | None:
        """See `Checkouts.look`."""
        if not os.path.lexists(path):
            return None
        try:
            top = _git(path, "rev-parse", "--show-toplevel").strip()
            if os.path.islink(path) or not os.path.samefile(top, path):  # noqa: PTH114, PTH121  # likewise
                return Checkout(path=path, reason="it is no worktree of its own")
            branch = _branch(path)
            changed = _git(path, "status", "--porcelain", "--untracked-files=all")
            others = (f"--exclude={branch}",) if branch else ()
            unmerged = _git(path, "rev-list", "--count", "HEAD", "--not", *others, "--branches", "--remotes", "--tags")
        except CheckoutFailed as error:
            return Checkout(path=path, reason=str(error))
        return Checkout(path=path, branch=branch, uncommitted=len(changed.splitlines()), unmerged=int(unmerged))

    def remove(self, path: str, *, force: bool = False) -> None:
        """See `Checkouts.remove`. What is no worktree is removed as a folder, by force only."""
        found = self.look(path)
        if found is None:
            return
        if found.risk and not force:
            raise WorkAtRisk(f"{path}: {found.risk}", hint="It is removed only by force.")
        if found.uncommitted is None:
            self._remove_folder(path)
            return
        home = _git(path, "rev-parse", "--path-format=absolute", "--git-common-dir").strip()
        _git(home, "worktree", "remove", *(["--force"] if force else []), "--", path)
        if found.branch and not found.unmerged:
            _git(home, "branch", "--quiet", "-D", "--", found.branch)

    def _remove_folder(self, path: str) -> None:
        if os.path.commonpath([self._folder, os.path.realpath(path)]) != self._folder:
            raise WorkAtRisk(f"{path} is no worktree, and lies outside {self._folder}", hint="Remove it by hand.")
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise CheckoutFailed(f"{path} could not be removed: {error.strerror or error}") from error


def _folders(path: str) -> list[str]:
    """What is in a folder that is a folder itself, without those that a dot hides."""
    try:
        with os.scandir(path) as found:
            return sorted(one.name for one in found if one.is_dir() and not one.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _branch(path: str) -> str | None:
    name = _git(path, "rev-parse", "--abbrev-ref", "HEAD").strip()
    return None if name == "HEAD" else name


def _git(folder: str, *words: str) -> str:
    import subprocess  # noqa: PLC0415  # slow to load, and a store is opened far more often than a worktree

    command = ["git", "-C", folder, *words]
    try:
        done = subprocess.run(  # noqa: S603  # git alone, and no shell
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, env=_environment(), check=False
        )
    except FileNotFoundError as error:
        raise CheckoutFailed("the program git is not installed, or not found", hint="Install git.") from error
    except subprocess.TimeoutExpired as error:
        raise CheckoutFailed(f"git {words[0]} in {folder} took longer than {_SECONDS:g} seconds") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:_REASON]
        raise CheckoutFailed(f"git {' '.join(words[:2])} failed in {folder}: {said}")
    return done.stdout


def _environment() -> Mapping[str, str]:
    """Without what would point git somewhere else, or make it ask or translate."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    identity = {name: value for name, value in os.environ.items() if name.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_"))}
    return {**kept, **identity, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
