"""The certification kit: the contract as pytest tests, a state machine, and fakes. Needs the extra `testing`.

Subclass `StorageContract` for a storage and `LocksContract` for locks; make a Hypothesis test of a backend with
`storage_machine`. The contract's clauses (C1 to C20) are in the documentation under "contract".
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"prodigy_storage.testing.{name}"
        for name in (
            "base",
            "contract_batches",
            "contract_lifetime",
            "contract_locks",
            "contract_names",
            "contract_processes",
            "contract_streams",
            "contract_takeovers",
            "contract_trims",
            "contract_walks",
            "granting",
            "machine",
            "oracle",
            "samples",
        )
    )
)

from prodigy_storage.testing.contract import StorageContract  # noqa: E402 - after the rewriting of asserts was asked for
from prodigy_storage.testing.contract_locks import LocksContract  # noqa: E402 - likewise
from prodigy_storage.testing.fakes import FakeBackground, FakeClock, FakeHandle, FakeIds, fake_runtime  # noqa: E402 - likewise
from prodigy_storage.testing.machine import storage_machine  # noqa: E402 - likewise
from prodigy_storage.testing.posing import Posing  # noqa: E402 - likewise
from prodigy_storage.testing.profiles import register_profiles  # noqa: E402 - likewise

__all__ = [
    "FakeBackground",
    "FakeClock",
    "FakeHandle",
    "FakeIds",
    "LocksContract",
    "Posing",
    "StorageContract",
    "fake_runtime",
    "register_profiles",
    "storage_machine",
]
