"""Intents: the plan of a batch of several changes, written before the first of them and removed after the last.

A file begins with the digest of all that follows its first line: one line of JSON, then the bytes of the bodies
and appends one after the other. Applying a plan again changes nothing, so whoever finds one finishes it.
"""

from __future__ import annotations

import hashlib
import json
import os

import attrs

from prodigy_storage.adapters.files.disk import (
    Disk,
    replace,
    sync_data,
    sync_names,
    write_all,
    write_all_at,
)
from prodigy_storage.adapters.files.layout import INTENTS
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.writers import Writer
from prodigy_storage.errors import DurabilityUnknown
from prodigy_storage.ports.names import Scope


@attrs.frozen
class Plan:
    """What a batch will change; paths are relative to the root.

    Args:
        scope: Whose plan it is.
        documents: The new body of each, None to remove it, in order.
        appends: Framed bytes by the path of the segment, and where in it they begin.
    """

    scope: Scope = ()
    documents: dict[str, bytes | None] = attrs.field(factory=dict)
    appends: dict[str, tuple[int, bytes]] = attrs.field(factory=dict)

    def pack(self) -> bytes:
        """The content of an intent."""
        head = [[path, None if body is None else len(body)] for path, body in self.documents.items()]
        tails = [[path, at, len(data)] for path, (at, data) in self.appends.items()]
        parts = [json.dumps([self.scope, head, tails]).encode(), b"\n"]
        parts += [body for body in self.documents.values() if body is not None]
        parts += [data for _, data in self.appends.values()]
        rest = b"".join(parts)
        return _digest(rest) + b"\n" + rest


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).hexdigest().encode()


def unpack(content: bytes) -> Plan | None:
    """The plan of an intent; None if it was not written to its end, so that nothing of it was applied."""
    digest, _, rest = content.partition(b"\n")
    if _digest(rest) != digest:
        return None
    line, _, data = rest.partition(b"\n")
    scope, heads, tails = json.loads(line)
    plan, at = Plan(tuple(scope)), 0
    for path, length in heads:
        plan.documents[path] = None if length is None else data[at : at + length]
        at += length or 0
    for path, offset, length in tails:
        plan.appends[path] = (offset, data[at : at + length])
        at += length
    return plan


def name(scope: Scope) -> str:
    """The path of the intent of a scope, relative to the root."""
    return f"{INTENTS}/{hashlib.blake2b(chr(0).join(scope).encode(), digest_size=16).hexdigest()}"


def write(tree: Tree, path: str, plan: Plan, *, sync: bool) -> None:
    """Write an intent. If this raises an error other than `DurabilityUnknown`, none is left behind."""
    disk = tree.disk
    folder = tree.make(INTENTS)
    full = tree.path(path)
    descriptor = disk.create(full)
    try:
        write_all(disk, descriptor, plan.pack())
        if sync:
            sync_data(disk, descriptor)
            sync_names(disk, folder)
    except BaseException as error:
        _withdraw(disk, full, error)
        raise
    finally:
        disk.close(descriptor)


def _withdraw(disk: Disk, path: str, cause: BaseException) -> None:
    try:
        disk.unlink(path)
    except OSError as error:
        raise DurabilityUnknown(f"{path} could not be withdrawn: {error}; it may be carried out later") from cause


def apply(tree: Tree, plan: Plan, writer: Writer, *, sync: bool) -> None:
    """Make the changes of a plan: bodies, then records, then removals."""
    for path, body in plan.documents.items():
        if body is not None:
            put(tree, path, body, writer, sync=sync)
    for path, (offset, data) in plan.appends.items():
        _append(tree.disk, tree.path(path), offset, data, sync=sync)
    for path, body in plan.documents.items():
        if body is None:
            remove(tree, path, sync=sync)


def put(tree: Tree, path: str, body: bytes, writer: Writer, *, sync: bool) -> None:
    """Write a document over what is there."""
    parent = path.rpartition("/")[0]
    folder = tree.make(parent)
    try:
        replace(tree.disk, lambda: writer.temp(folder), tree.path(path), body, sync=sync)
    except FileNotFoundError:  # somebody removed the folder
        tree.forget()
        tree.make(parent)
        replace(tree.disk, lambda: writer.temp(folder), tree.path(path), body, sync=sync)


def remove(tree: Tree, path: str, *, sync: bool) -> None:
    """Remove a document if it is there."""
    full = tree.path(path)
    try:
        tree.disk.unlink(full)
    except FileNotFoundError:
        if not sync or not os.path.isdir(os.path.dirname(full)):
            return
    if sync:
        sync_names(tree.disk, os.path.dirname(full))


def _append(disk: Disk, path: str, offset: int, data: bytes, *, sync: bool) -> None:
    try:
        descriptor = disk.open(path)
    except FileNotFoundError:  # trimmed since: its records were consumed
        return
    try:
        write_all_at(disk, descriptor, data, offset)
        if sync:
            sync_data(disk, descriptor)
    finally:
        disk.close(descriptor)


def finish(tree: Tree, path: str, *, sync: bool) -> None:
    """Remove an intent whose plan was applied."""
    tree.disk.unlink(tree.path(path))
    if sync:
        sync_names(tree.disk, tree.path(INTENTS))


def redo(tree: Tree, path: str, writer: Writer) -> None:
    """Finish a batch of a writer that died in it; call it under the lock of its scope."""
    content = tree.read(path)
    if content is None:
        return
    plan = unpack(content)
    if plan is not None:
        apply(tree, plan, writer, sync=True)
    finish(tree, path, sync=True)
