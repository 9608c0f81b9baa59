"""The contract over the honest backend and over each saboteur the part that has to catch it; started by test_saboteurs.py."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from saboteurs import OF_BATCHES, OF_LIFETIMES, OF_MEASURES, OF_NAMES, OF_STREAMS, OF_TRIMS, OF_WALKS, Honest

from prodigy_storage.testing import StorageContract
from prodigy_storage.testing.base import Contract
from prodigy_storage.testing.contract_batches import BatchContract
from prodigy_storage.testing.contract_lifetime import LifetimeContract
from prodigy_storage.testing.contract_measuring import MeasuringContract
from prodigy_storage.testing.contract_names import NameContract
from prodigy_storage.testing.contract_streams import StreamContract
from prodigy_storage.testing.contract_trims import TrimContract
from prodigy_storage.testing.contract_walks import WalkContract

numbers = itertools.count()


class InMemory(Contract):
    @pytest.fixture
    def place(self):
        """A name is enough for memory, and spares a directory for each of thousands of tests."""
        return Path(f"place-{next(numbers)}")


PARTS = {
    StorageContract: [Honest],
    BatchContract: OF_BATCHES,
    WalkContract: OF_WALKS,
    NameContract: OF_NAMES,
    StreamContract: OF_STREAMS,
    TrimContract: OF_TRIMS,
    LifetimeContract: OF_LIFETIMES,
    MeasuringContract: OF_MEASURES,
}
for part, backends in PARTS.items():
    for backend in backends:
        name = f"Test{backend.__name__}"
        globals()[name] = type(name, (InMemory, part), {"open": lambda _self, place, cls=backend: cls(place)})
