"""Stored records as `--json` shows them: in their documented form on disk, without the checksum."""

from __future__ import annotations

import json
from typing import Any

from prodigy_storage.ports.storage import Document


def body(document: Document) -> dict[str, Any]:
    """The members of a document."""
    tree: dict[str, Any] = json.loads(document.body)
    tree.pop("_crc", None)
    return tree
