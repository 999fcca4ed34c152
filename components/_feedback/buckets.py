"""Hash buckets on disk: rows with the same id are in the same bucket, and a bucket fits into memory.

This is the partitioning phase of a Grace hash join (Kitsuregawa, Tanaka, Moto-oka: Application of hash to data base machine and its
architecture, 1983).
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from pandas.util import hash_array

BUCKET_BYTES = 24 << 20
MOST_BUCKETS = 256
_BUFFER_ROWS = 131_072
_BUFFER_BYTES = 48 << 20


def count_buckets(size: int) -> int:
    """Return how many buckets some bytes need."""
    return min(max(-(-size // BUCKET_BYTES), 1), MOST_BUCKETS)


class Buckets:
    """A table in hash buckets by `id`; filled inside of a `with` block, read after it.

    Args:
        folder: An empty or missing folder.
        schema: Schema of the table.
        count: Number of buckets.
    """

    def __init__(self, folder: Path, schema: pa.Schema, count: int) -> None:
        self.rows = 0
        self._folder, self._schema, self._count = folder, schema, count
        self._writers: dict[int, pa.RecordBatchStreamWriter] = {}
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._waiting_bytes = 0
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        """Begin to fill them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, and close the files."""
        if kind is None:
            self._write()
        for writer in self._writers.values():
            writer.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows; they are written when many wait, since small pieces are slow to write and to read."""
        self.rows += batch.num_rows
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= _BUFFER_ROWS or self._waiting_bytes >= _BUFFER_BYTES:
            self._write()

    def read(self, bucket: int) -> pa.Table:
        """Read a bucket."""
        path = self._path(bucket)
        if not path.exists():
            return self._schema.empty_table()
        with pa.OSFile(str(path)) as file:
            return pa.ipc.open_stream(file).read_all().combine_chunks()

    def _write(self) -> None:
        if not self._waiting_rows:
            return
        rows = pa.Table.from_batches(self._waiting, schema=self._schema).combine_chunks()
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        if self._count == 1:
            self._writer(0).write_table(rows)
            return
        ids = rows["id"].combine_chunks().to_numpy(zero_copy_only=False)
        buckets = (hash_array(ids, categorize=False) % np.uint64(self._count)).astype(np.int64)
        order = np.argsort(buckets, kind="stable")
        ends = np.cumsum(np.bincount(buckets, minlength=self._count))
        ordered, begin = rows.take(pa.array(order)), 0
        for bucket, end in enumerate(ends.tolist()):
            if end > begin:
                self._writer(bucket).write_table(ordered.slice(begin, end - begin))
            begin = end

    def _writer(self, bucket: int) -> pa.RecordBatchStreamWriter:
        if bucket not in self._writers:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writers[bucket] = pa.ipc.new_stream(str(self._path(bucket)), self._schema, options=options)
        return self._writers[bucket]

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket:03d}.arrows"
