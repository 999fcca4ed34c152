"""Read the pictures of some rows: the row groups that they are in, in small batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components._core.examples.safe_parquet import pq
from components.validate.pictures.measured_pictures import MeasuredPictures

_BATCH_ROWS = 64
"""Rows per batch: pictures of a megabyte make 64 MB."""


def read_cells(pictures: MeasuredPictures, rows: Iterable[int], column: str) -> Iterator[tuple[int, object]]:
    """Yield row and value of one column for some rows, in the order of the files; only one batch is in memory.

    Args:
        pictures: Where the rows are.
        rows: Rows of `pictures`.
        column: The column to read; nothing is yielded for a file without it.
    """
    wanted = np.unique(np.fromiter(rows, np.int64))
    for number, (_, _, path) in enumerate(pictures.files):
        inside = wanted[pictures.file[wanted] == number]
        if len(inside):
            places = pictures.place[inside]
            order = np.argsort(places)
            yield from _read_file(path, column, places[order], inside[order])


def _read_file(
    path: Path, column: str, places: NDArray[np.int64], rows: NDArray[np.int64]
) -> Iterator[tuple[int, object]]:
    with pq.ParquetFile(path) as file:
        if column not in file.schema_arrow.names:
            return
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            if np.searchsorted(places, end) > np.searchsorted(places, start):
                seen = start
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=[column]):
                    first, last = np.searchsorted(places, [seen, seen + batch.num_rows])
                    for place, row in zip(places[first:last].tolist(), rows[first:last].tolist(), strict=True):
                        yield row, batch.column(0)[place - seen].as_py()
                    seen += batch.num_rows
            start = end
