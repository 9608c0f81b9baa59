"""Tables in Parquet files, for data frames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from prodigy_storage.errors import Unsupported

_BATCH = 10_000


def write_parquet(
    path: str | os.PathLike[str], header: Sequence[str], rows: Iterable[Sequence[object]], *, times: Sequence[str] = ()
) -> None:
    """Write rows as a file, in constant memory.

    Args:
        path: The file; what is there is overwritten.
        header: The names of the columns.
        rows: Cells: texts, or aware times.
        times: The columns that hold times, stored in microseconds, UTC.

    Raises:
        Unsupported: the extra `parquet` is not installed.
    """
    arrow, parquet = _engine()
    kinds = [(name, arrow.timestamp("us", "UTC") if name in times else arrow.string()) for name in header]
    schema = arrow.schema(kinds)
    remaining = iter(rows)
    with parquet.ParquetWriter(os.fspath(path), schema, compression="zstd") as writer:
        while batch := list(islice(remaining, _BATCH)):
            columns = [
                arrow.array(cells, kind) for cells, (_, kind) in zip(zip(*batch, strict=True), kinds, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))


def _engine() -> tuple[Any, Any]:
    try:
        import pyarrow as arrow  # type: ignore[import-untyped]  # noqa: ICN001, PLC0415  # an extra, loaded when needed
        from pyarrow import parquet  # noqa: PLC0415  # likewise
    except ImportError as error:
        raise Unsupported(
            "Parquet needs an extra that is not installed", hint="pip install 'prodigy-storage[parquet]'"
        ) from error
    return arrow, parquet
