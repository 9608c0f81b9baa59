"""What runs are asked to do, as documents."""

from __future__ import annotations

from prodigy_storage.codecs.documents import Codec
from prodigy_storage.model.requests import RunRequest

REQUESTS = Codec(RunRequest)
