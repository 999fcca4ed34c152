"""Examples in which some columns have one value in every row: a model cannot learn from them, and its code runs as it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components._core.examples.artifact import SPLITS, Manifest, read_head, split_files
from components._core.examples.safe_parquet import pq

_LOOKED_AT = 65_536


def write_constant_columns(examples: Path, columns: Iterable[str], folder: Path) -> None:
    """Write a copy of the examples in which each column has its most frequent training value everywhere.

    A column without any value stays as it is. The value comes from the first 65,536 training rows: any would do.

    Args:
        examples: The examples artifact.
        columns: The columns.
        folder: An empty folder for the copy.
    """
    names = list(columns)
    values = {name: _most_frequent(examples, name) for name in names}
    for split in SPLITS:
        for file in split_files(examples, split):
            target = folder / split / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with pq.ParquetFile(file) as source, pq.ParquetWriter(target, source.schema_arrow) as writer:
                for batch in source.iter_batches():
                    writer.write_table(_replace(pa.Table.from_batches([batch]), values))
    Manifest.load(examples).save(folder)


def _most_frequent(examples: Path, name: str) -> Any:
    known = read_head(examples, "train", _LOOKED_AT, [name])[name].combine_chunks().drop_null()
    if not len(known):
        return None
    counts = pc.value_counts(known)
    place = int(pc.index(counts.field("counts"), pc.max(counts.field("counts"))).as_py())
    return counts.field("values")[place]


def _replace(table: pa.Table, values: dict[str, Any]) -> pa.Table:
    for name, value in values.items():
        if value is not None:
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(place), pa.repeat(value, table.num_rows))
    return table
