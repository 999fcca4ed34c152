"""Writes the rows of one span, a file for each split that gets some."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.artifact import SPLITS, split_file
from components._core.examples.safe_parquet import pq


class SpanWriter:
    """Writes the rows of one span, a file for each split that gets some."""

    def __init__(self, examples: Path, span: int) -> None:
        """Begin without a file.

        Args:
            examples: Folder of the examples.
            span: The span.
        """
        self._examples, self._span = examples, span
        self._files: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> SpanWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def write(self, examples: pa.RecordBatch, numbers: NDArray[np.int8]) -> None:
        """Write some rows, each into its split (the number of its place in `SPLITS`): a row group for each split."""
        for number, split in enumerate(SPLITS):
            part = examples.filter(pa.array(numbers == number))
            if not part.num_rows:
                continue
            if split not in self._files:
                path = split_file(self._examples, split, self._span)
                path.parent.mkdir(exist_ok=True)
                # format 2.6: an older one has no nanoseconds
                self._files[split] = pq.ParquetWriter(path, part.schema, compression="snappy", version="2.6")
            self._files[split].write_table(pa.Table.from_batches([part]))
