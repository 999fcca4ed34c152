"""Writes the rows of one span, a file for each split that gets some."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.artifact import SPLITS, split_file
from components._core.examples.safe_parquet import pq
from components._core.types.column_types import BYTES


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
                self._files[split] = _open_writer(path, part.schema)
            self._files[split].write_table(pa.Table.from_batches([part]))


def _open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file of format 2.6, since an older one has no nanoseconds; bytes, such as pictures, are compressed already and do not repeat."""
    encoded = [field.name for field in schema if BYTES.is_arrow(field.type)]
    if not encoded:
        return pq.ParquetWriter(path, schema, compression="snappy", version="2.6")
    others = [field.name for field in schema if field.name not in encoded]
    compression = {**dict.fromkeys(others, "snappy"), **dict.fromkeys(encoded, "NONE")}
    return pq.ParquetWriter(path, schema, compression=compression, version="2.6", use_dictionary=others)
