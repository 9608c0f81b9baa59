"""Says whether the real program, Prodigy 0.4.4, would accept a document.

It is written from the field tables of the program alone and shares no code with the library, so that both can be
wrong only in different ways. Where a Rust compiler is at hand, the program itself is asked the same questions.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import struct

from .checker_kinds import RULES, YAML
from .checker_text import Node, Offence, read_json, read_yaml

_PLACES = [
    (r"events/.*/index\.json|.*/events/.*/index\.json", "event-index"),
    (r"(.*/)?events/.*\.jsonl(\.gz)?", "event-lines"),
    (r".*/items/[^/]*\.json", "dlq-item"),
    (r".*/mappings/[^/]*\.json", "mapping"),
    (r"sessions/[^/]*\.json", "session"),
    (r".*/mapreduce/jobs/[^/]*/metadata\.json", "job-metadata"),
    (r".*/mapreduce/jobs/[^/]*/checkpoint-v\d+\.json", "job-state"),
    (r"state/reduce_checkpoints/.*\.json", "reduce-checkpoint"),
    (r".*/cp-[^/]*\.checkpoint\.(json|gz|zst|lz4)", "mr-checkpoint"),
    (r".*/[^/]*\.checkpoint\.json|sessions/[^/]*/checkpoint\.json", "workflow-checkpoint"),
    (r"resume_locks/[^/]*\.lock", "resume-lock"),
    (r"worktrees/[^/]*/\.metadata/[^/]*\.json", "worktree-state"),
    (r"orphaned_worktrees/.*\.json", "orphan-registry"),
    (r"extra/dlq-export\.json", "dlq-export"),
    (r"extra/mr-checkpoint-export\.json", "mr-checkpoint"),
    (r"extra/retention-analysis-\d\.json", "retention-analysis"),
    (r"extra/retention-policy.*\.yaml", "retention-policy"),
    (r"extra/storage-.*\.yaml", "storage-config"),
    (r"extra/storage-.*\.json", "storage-config-json"),
]


def kind_of(path):
    """The kind of document that lies at this path below a storage root; None for what no type of the program reads."""
    return next((kind for pattern, kind in _PLACES if re.fullmatch(pattern, path)), None)


def offence(kind, data):
    """What the program's reader of this kind would refuse first, as "path: why"; None if it accepts the document."""
    try:
        if kind == "event-lines":
            _lines(data)
        else:
            RULES[kind](read_yaml(data) if kind in YAML else read_json(data), "")
    except Offence as found:
        return str(found)
    return None


def _lines(data):
    for number, line in enumerate(data.splitlines() if b"\r" in data else data.split(b"\n"), 1):
        try:
            if line or number <= data.count(b"\n"):
                RULES["event-record"](read_json(line), "")
        except Offence as found:
            raise Offence(f"line {number}", found) from None


def manager_offence(data):
    """What the manager of MapReduce checkpoints checks beyond the fields: assignments, then the hash."""
    found = offence("mr-checkpoint", data)
    if found:
        return found
    tree = _members(read_json(data))
    agents = tree["agent_state"]
    idle = [agent for agent in agents["agent_assignments"] if agent not in agents["active_agents"]]
    if idle:
        return f"agent_state.agent_assignments.{idle[0]}: not an active agent"
    if tree["metadata"]["integrity_hash"] != integrity(tree):
        return "metadata.integrity_hash: does not fit"
    return None


def integrity(tree):
    """The hash of the manager: over a few members of the metadata and two counts, joined without separators."""
    metadata, items = tree["metadata"], tree["work_item_state"]
    members = [metadata[name] for name in ("job_id", "version", "phase", "total_work_items", "completed_items")]
    counts = [str(len(items[name])) for name in ("completed_items", "failed_items")]
    return hashlib.sha256("".join([*members, *counts]).encode()).hexdigest()


def _members(node: Node):
    """The tree as plain values, numbers in their spelling."""
    if node.form == "object":
        return {key: _members(value) for key, value in node.content}
    if node.form == "array":
        return [_members(value) for value in node.content]
    return node.content


def unpacked(path, data):
    """The document in a file: what its ending, or for archives of events its first bytes, say about compression."""
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return _zstd(data)
    if path.endswith(".lz4"):
        return lz4_block(data[4:], *struct.unpack("<I", data[:4]))
    return data


def _zstd(data):
    try:
        from compression import zstd  # noqa: PLC0415  # there from Python 3.14 on
    except ImportError:
        from backports import zstd  # noqa: PLC0415  # before that
    return zstd.ZstdDecompressor().decompress(data)


def lz4_block(data, size):
    """The content of one raw block of LZ4."""
    out = bytearray()
    at = 0
    while at < len(data):
        token = data[at]
        literals, at = _length(token >> 4, data, at + 1)
        out += data[at : at + literals]
        at += literals
        if at == len(data):
            break
        offset = int.from_bytes(data[at : at + 2], "little")
        match, at = _length(token & 15, data, at + 2)
        for _ in range(match + 4):
            out.append(out[-offset])
    if len(out) != size:
        raise Offence("", f"{len(out)} bytes instead of {size}")
    return bytes(out)


def _length(length, data, at):
    """A length of LZ4: 15 goes on in the following bytes, until one is not full."""
    more = 255
    while length >= 15 and more == 255:
        more = data[at]
        length += more
        at += 1
    return length, at
