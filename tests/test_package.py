"""What an installation brings."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution, entry_points
from importlib.resources import files

import prodigy_storage

HEAVY = ["asyncio", "attrs", "cattrs", "click", "fasteners", "msgspec", "psutil", "structlog", "tenacity", "yaml"]


def test_importing_the_package_loads_nothing_heavy():
    """`import prodigy_storage` costs next to nothing: what it offers is loaded when it is used."""
    program = f"import sys, prodigy_storage; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_the_version_is_that_of_the_distribution():
    """The version in the package and the one in the metadata are the same."""
    assert prodigy_storage.__version__ == distribution("prodigy-storage").version


def test_everything_that_is_offered_is_there():
    """Each public name of the package can be loaded."""
    assert all(hasattr(prodigy_storage, name) for name in prodigy_storage.__all__)
    assert set(prodigy_storage.__all__) <= set(dir(prodigy_storage))


def test_built_in_backends_come_in_like_a_strangers():
    """The file and the memory backend are entry points of the group that other packages use."""
    found = {entry.name: callable(entry.load()) for entry in entry_points(group="prodigy_storage.backends")}

    assert found["file"]
    assert found["memory"]


def test_types_are_shipped():
    """Type checkers of users see our annotations."""
    assert (files("prodigy_storage") / "py.typed").is_file()
