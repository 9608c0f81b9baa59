"""The doctor and Prodigy's own directories: what it says of them is true, and it changes nothing."""

from __future__ import annotations

import prodigy_storage

from .conftest import tree_of


def codes_of(root):
    """What is found, by its code."""
    found = {}
    with prodigy_storage.open(root) as store:
        for one in store.doctor.examine():
            found.setdefault(one.code, []).append(one)
    return found


def test_what_is_found_in_prodigys_directories_is_true(corpus):
    """Its empty lock, its sessions that say Running, its worktrees that are gone; nothing of it is called damaged."""
    before = tree_of(corpus)
    found = codes_of(corpus)
    assert tree_of(corpus) == before
    assert set(found) == {"unreadable-lock", "killed", "no-folder", "orphaned-worktree"}
    assert [one.place for one in found["unreadable-lock"]] == [
        str(path) for path in (corpus / "resume_locks").iterdir() if not path.read_bytes().strip()
    ]
    assert all("unless Prodigy" in one.message for one in found["killed"])
    assert not any(one.repair for many in found.values() for one in many)


def test_a_flipped_bit_among_its_events_is_found(corpus):
    """They have no checksums: what is no record any more is named with the byte where its line begins."""
    path = next(path for path in sorted(corpus.glob("events/*/*/*.jsonl")) if path.read_bytes().count(b"\n") > 3)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b"[" + lines[2][1:]
    path.write_bytes(b"".join(lines))
    (finding,) = codes_of(corpus)["corrupt"]
    assert (finding.place, finding.offset) == (str(path), len(lines[0] + lines[1]))


def test_what_prodigy_alone_writes_is_never_moved(corpus):
    """A damaged state of a job is named with its byte, and stays."""
    state = next(corpus.glob("state/*/mapreduce/jobs/*/checkpoint-v*.json"))
    state.write_bytes(state.read_bytes()[:200])
    (finding,) = codes_of(corpus)["corrupt"]
    assert (finding.place, finding.offset is not None, finding.repair) == (str(state), True, "")
    assert "stays where it is" in finding.advice
