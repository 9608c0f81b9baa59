"""The contract as a class of tests: subclass it, say how your storage is opened, and run pytest."""

from __future__ import annotations

from prodigy_storage.testing.contract_batches import BatchContract
from prodigy_storage.testing.contract_lifetime import LifetimeContract
from prodigy_storage.testing.contract_measuring import MeasuringContract
from prodigy_storage.testing.contract_names import NameContract
from prodigy_storage.testing.contract_processes import ProcessContract
from prodigy_storage.testing.contract_streams import StreamContract
from prodigy_storage.testing.contract_trims import TrimContract
from prodigy_storage.testing.contract_walks import WalkContract


class StorageContract(
    BatchContract,
    WalkContract,
    StreamContract,
    TrimContract,
    NameContract,
    LifetimeContract,
    ProcessContract,
    MeasuringContract,
):
    """What a backend promises, one test or more for each clause that can be tested without breaking disks.

    ```python
    class TestMine(StorageContract):
        def open(self, place: Path) -> Storage:
            return MyStorage(place)
    ```

    Each test is named after its clause. What the backend does not declare in its `capabilities` is skipped; what
    it declares has to hold. Tests that need several processes start them anew (`spawn`), so `opener` must give a
    callable that pickles.
    """
