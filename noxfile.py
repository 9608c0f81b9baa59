"""Everything that can be checked, each in an environment of its own: `nox -l` lists it, `nox -s NAME` runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = ["src", "tests", "docs", "benchmarks", "conftest.py", "noxfile.py"]

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "typing", "imports", "tests", "lowest", "no_extras", "docs"]


def install_wheel(session: nox.Session, extra: str, *more: str) -> None:
    """Build a wheel and install it, so that nothing is imported from the sources."""
    session.run_install("pip", "wheel", "-q", "--no-deps", "-w", session.create_tmp(), str(ROOT))
    wheel = max(Path(session.create_tmp()).resolve().glob("prodigy_storage-*.whl"))
    session.install(f"prodigy-storage{extra} @ {wheel.as_uri()}", *more)


def lowest_versions() -> list[str]:
    """The lower bound of every dependency that users have, as exact versions."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["cli"], *extras["testing"]]
    return [re.sub(r">=\s*([\w.]+)", r"==\1", requirement) for requirement in declared]


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The default tests against the wheel; arguments after -- go to pytest."""
    install_wheel(session, "[dev]")
    session.run("pytest", *session.posargs)


@nox.session
def property(session: nox.Session) -> None:  # noqa: A001  # the session is named after its folder
    """The property tests only."""
    install_wheel(session, "[dev]")
    session.run("pytest", "tests/property", *session.posargs)


def build_judge(session: nox.Session, *options: str) -> tuple[str, str]:
    """The path of the program in tests/prodigy/judge, and why there is none: one of the two is empty."""
    manifest = ROOT / "tests" / "prodigy" / "judge" / "Cargo.toml"
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / ".nox" / "judge-target"))
    cargo = shutil.which("cargo") or shutil.which("cargo", path=Path.home() / ".cargo" / "bin")
    if cargo is None:
        return "", "there is no cargo; it comes with Rust, https://rustup.rs"
    build = [cargo, "build", "--locked", f"--manifest-path={manifest}", f"--target-dir={target}", *options]
    if (
        shutil.which("pkg-config") is None
        or subprocess.run(["pkg-config", "--exists", "openssl"], check=False).returncode
    ):
        build.append("--features=vendored-openssl")
    theirs = subprocess.run([*build, "-p", "prodigy"], capture_output=True, text=True, check=False)
    if theirs.returncode:
        return "", f"Prodigy's crate cannot be had or built here: {theirs.stderr.strip()[-800:]}"
    session.run(*build, external=True)
    return str(target / ("release" if "--release" in options else "debug") / "judge"), ""


@nox.session
def prodigy(session: nox.Session) -> None:
    """Prodigy itself reads what we write in its dialect, and we read what it writes. Needs cargo."""
    judge, reason = build_judge(session)
    if reason:
        session.skip(reason)
    install_wheel(session, "[lz4,testing]", "sybil")
    tests = sorted(map(str, (ROOT / "tests" / "prodigy").glob("test_judge*.py")))
    session.run("pytest", *tests, *session.posargs, env={"PRODIGY_JUDGE": judge})


@nox.session
def nightly(session: nox.Session) -> None:
    """What takes hours: the property tests with larger numbers."""
    install_wheel(session, "[dev]")
    session.run("pytest", "tests/property", "--hypothesis-profile=nightly", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, as linter and as formatter."""
    session.install("ruff")
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session
def typing(session: nox.Session) -> None:
    """Mypy --strict and pyright on the sources, and how much of the public API has types."""
    install_wheel(session, "[dev]")
    python = str(Path(session.bin) / "python")
    session.run("mypy")
    session.run("pyright", "--pythonpath", python)
    session.run("pyright", "--verifytypes", "prodigy_storage", "--ignoreexternal")


@nox.session
def imports(session: nox.Session) -> None:
    """The dependency rules of pyproject.toml."""
    session.install("-e", ".", "import-linter")
    session.run("lint-imports", "--no-cache")


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The tests with the lowest versions that pyproject.toml allows; lint and types need newer tools."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lowest_versions()) + "\n")
    install_wheel(session, "[all]", "sybil", "-c", str(constraints))
    session.run("pytest", "--ignore=tests/test_quality.py", *session.posargs)


@nox.session
def no_extras(session: nox.Session) -> None:
    """Without extras the library works, and what needs one says how to install it."""
    install_wheel(session, "")
    session.run("python", "tests/no_extras.py", str(Path(session.bin) / "prodigy-storage"))


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, without warnings."""
    install_wheel(session, "[dev]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks; each prints ours, the peer, the limit and the ratio. Arguments after -- choose some."""
    judge, reason = build_judge(session, "--release")
    if reason:
        session.log(f"without Prodigy as a peer: {reason}")
    install_wheel(session, "[all,bench]")
    session.run("python", "benchmarks/run.py", *session.posargs, env={"PRODIGY_JUDGE": judge})


@nox.session
def kit(session: nox.Session) -> None:
    """The certification kit against every built-in backend."""
    install_wheel(session, "[all]", "sybil")
    parts = ("tests/unit/adapters", "tests/unit/docs", "tests/unit/testing", "tests/property/test_storage_machine.py")
    session.run("pytest", *parts, *session.posargs)
