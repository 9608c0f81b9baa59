"""The rules of this code base, checked by the tools that know them."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ["src", "tests", "docs", "conftest.py", "noxfile.py"]


def run(*command, cwd=ROOT):
    """Run a tool of this environment; what it printed comes with its exit code."""
    result = subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    return result.returncode, result.stdout + result.stderr


def expect_clean(*command):
    code, output = run(*command)
    if code:
        pytest.fail(f"{' '.join(command)}\n{output}", pytrace=False)


def lint_imports(project):
    """The dependency rules of pyproject.toml, applied to the sources below `project` and to no other copy."""
    program = (
        "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command;"
        "lint_imports_command(['--no-cache', '--no-logo'])"
    )
    return run("-c", program, cwd=project)


@pytest.fixture
def project(tmp_path):
    """A copy of the sources that a test may spoil."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_dependency_rules():
    """Every module keeps to its layer, and the operating system is touched by the outer packages only."""
    code, output = lint_imports(ROOT)
    if code:
        pytest.fail(output, pytrace=False)


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("errors.py", "import prodigy_storage.ports.names", "every module has its place"),
        ("model/values.py", "import prodigy_storage.ports.names", "every module has its place"),
        ("extra.py", "", "every module has its place"),
        ("model/values.py", "import os", "Only the outer packages"),
        ("ports/names.py", "from time import time", "Only the outer packages"),
        ("errors.py", "import threading", "Only the outer packages"),
        ("wrappers/observed.py", "import prodigy_storage.model.values", "Backends and wrappers see bytes"),
        ("wrappers/observed.py", "import prodigy_storage.wrappers.retrying", "Wrappers do not know each other"),
        ("adapters/memory.py", "import prodigy_storage.adapters.runtime", "Adapters do not know each other"),
        ("services/one.py", "import prodigy_storage.services.two", "Aggregates do not know each other"),
        ("wrappers/observed.py", "import msgspec", "Only codecs convert"),
        ("adapters/memory.py", "import pytest", "Only the certification kit"),
        ("wrappers/observed.py", "import cel", "Only the filter codec uses CEL"),
        ("wrappers/observed.py", "import tenacity", "Only the retrying wrapper"),
        ("adapters/memory.py", "import fasteners", "Only the file adapter uses fasteners"),
    ],
)
def test_a_broken_dependency_rule_is_seen(project, module, line, contract):
    """The check can fail: one forbidden import, or one module without a place, breaks the rule that forbids it."""
    package = project / "src" / "prodigy_storage"
    place = next((place for place in (package / module, package / module[:-3] / "__init__.py") if place.exists()), None)
    place = place or package / module
    if line.endswith(".services.two"):
        (package / "services" / "two.py").touch()
    with place.open("a") as file:
        file.write(f"\n{line}\n")

    code, output = lint_imports(project)

    assert code == 1, output
    assert any(contract in row and "BROKEN" in row for row in output.splitlines()), output


def test_lint():
    """Ruff has nothing to say."""
    expect_clean("-m", "ruff", "check", "--no-cache", *SOURCES)


@pytest.mark.parametrize("line", ["datetime.now(UTC)", "time.time()", "time.sleep(1)"])
def test_time_from_anywhere_else_is_seen(project, line):
    """The check can fail: a clock that is read, or waited for, outside the runtime adapter is found."""
    place = project / "src" / "prodigy_storage" / "services" / "spoiled.py"
    place.write_text(f"import time\nfrom datetime import UTC, datetime\n{line}\n")

    code, output = run("-m", "ruff", "check", "--no-cache", "--select", "TID251", "src", cwd=project)

    assert code == 1, output
    assert "spoiled.py:3" in output


def test_format():
    """Ruff would format nothing differently."""
    expect_clean("-m", "ruff", "format", "--no-cache", "--check", "--diff", *SOURCES)


def test_mypy(tmp_path):
    """The types hold under mypy --strict."""
    expect_clean("-m", "mypy", "--cache-dir", str(tmp_path))


def test_pyright():
    """The types hold under pyright."""
    if run("-m", "pyright", "--version")[0]:
        pytest.skip("pyright cannot run here: it needs node, which its extra pyright[nodejs] brings")
    expect_clean("-m", "pyright", "--pythonpath", sys.executable)


def test_documentation(tmp_path):
    """The documentation builds without a warning."""
    expect_clean("-m", "sphinx", "-q", "-W", "--keep-going", "-b", "dummy", "docs", str(tmp_path))


def test_every_test_says_what_it_shows():
    """Each test has a docstring of one sentence that states a behaviour."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not (ast.get_docstring(node) or "").rstrip().endswith(".")
    ]

    assert silent == []
