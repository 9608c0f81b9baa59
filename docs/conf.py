"""How Sphinx builds this documentation."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from cli_tree import MARK, markdown  # beside this file

project = "prodigy-storage"
author = "the prodigy-storage contributors"
copyright = "2026, the prodigy-storage contributors"  # noqa: A001  # the name that Sphinx reads
release = version = installed("prodigy-storage")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
suppress_warnings = ["toc.empty_glob"]  # a part may be empty

html_theme = "furo"
html_title = f"prodigy-storage {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False


def fill_in(_app: Any, document: str, source: list[str]) -> None:
    """Put the command tree into its page, as the program has it now."""
    if document == "reference/cli":
        source[0] = source[0].replace(MARK, markdown())


def setup(app: Any) -> None:
    """Register what is made while building."""
    app.connect("source-read", fill_in)
