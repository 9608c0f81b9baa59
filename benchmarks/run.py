"""Run benchmarks: `python benchmarks/run.py [NAME ...] [--json FILE]`.

Each module beside this one with a function `run() -> list[Row]` is a benchmark of that name.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
from pathlib import Path

import attrs
from harness import Row

HERE = Path(__file__).parent
SHARED = {"run", "harness", "original"}


def names() -> list[str]:
    """Every benchmark there is."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in SHARED)


def text(row: Row) -> str:
    """The row of the table."""
    goal = f"{'≥' if row.sense == 'at least' else '≤'} {row.limit:g}x"
    ours, peer = (f"{seconds / row.units * 1e6:.3f} µs" for seconds in (row.ours, row.peer))
    verdict = "reached" if row.reached else "missed"
    return f"{row.name:5} {row.work:46} {ours:>12} {row.peer_name:26} {peer:>12} {goal:>8} {row.ratio:8.2f}x  {verdict}"


def main() -> None:
    """Measure what was asked for, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names())}; all if none is given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    wanted = parser.parse_args()
    unknown = set(wanted.names) - set(names())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    print(f"{'':5} {'work':46} {'ours':>12} {'peer':26} {'':>12} {'goal':>8} {'ratio':>9}")
    rows: list[Row] = []
    for name in wanted.names or names():
        for row in importlib.import_module(name).run():
            print(text(row), flush=True)
            rows.append(row)
    if wanted.json:
        wanted.json.write_text(json.dumps(_report(rows), indent=2) + "\n", "utf-8")


def _report(rows: list[Row]) -> dict[str, object]:
    figures = [{**attrs.asdict(row), "ratio": row.ratio, "reached": row.reached} for row in rows]
    return {"python": platform.python_version(), "machine": platform.machine(), "rows": figures}


if __name__ == "__main__":
    main()
