"""Examples of pictures as ingest writes them, from files in memory: to check findings without reading folders again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components._core.examples.artifact import SPLITS, Manifest, split_file
from components._core.pictures.canonical import canonical_bytes
from components._core.pictures.decode import open_picture
from components._core.pictures.measures import TYPES, Measures, measure
from components._core.pictures.near_groups import NearGroups
from components._core.types.column_types import type_of_arrow
from components._core.types.measured_columns import GROUP, measured_column

MEASURED = {measured_column("picture", name): kind for name, kind in TYPES.items()}
"""Arrow type by measured column."""
SCHEMA = pa.schema({"picture": pa.binary(), "label": pa.string(), "path": pa.string(), **MEASURED})


@dataclass(frozen=True)
class Measured:
    """A picture as a row.

    Attributes:
        picture: Its canonical bytes.
        measures: What was measured of it.
        label: Its label; None: none.
        split: The split it is in.
        span: Its span.
    """

    picture: bytes
    measures: Measures
    label: str | None
    split: str
    span: int


def measure_file(
    content: bytes, name: str = "", label: str | None = "a", split: str = "train", span: int = 1
) -> Measured:
    """Measure a picture.

    Args:
        content: The file.
        name: Its name; empty: it has none.
        label: Its label; None: none.
        split: The split it is in.
        span: Its span.
    """
    decoded = open_picture(content)
    return Measured(canonical_bytes(content, decoded), measure(content, decoded, name), label, split, span)


def in_splits(rows: Sequence[Measured], splits: Sequence[str]) -> list[Measured]:
    """Put rows into splits."""
    return [replace(row, split=split) for row, split in zip(rows, splits, strict=True)]


def write_examples(rows: Sequence[Measured], examples: Path, row_group_size: int = 50) -> Path:
    """Write rows as examples.

    Args:
        rows: The rows, in any order.
        examples: Empty or absent folder.
        row_group_size: Rows of a row group.
    """
    sketches = np.stack([row.measures.sketch for row in rows])
    groups = NearGroups().assign(sketches, [row.measures.sha256 for row in rows])
    full = [_columns(row, f"pictures/{row.label}/{number}", groups[number]) for number, row in enumerate(rows)]
    spans = sorted({row.span for row in rows})
    for split in SPLITS:
        for span in spans:
            part = [each for each, row in zip(full, rows, strict=True) if (row.split, row.span) == (split, span)]
            path = split_file(examples, split, span)
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(part, SCHEMA), path, row_group_size=row_group_size)
    kinds = {name: type_of_arrow(kind, name).name for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)}
    counts = {split: sum(row.split == split for row in rows) for split in SPLITS}
    Manifest("fingerprint", kinds, counts, spans, []).save(examples)
    return examples


def _columns(row: Measured, path: str, group: str) -> dict[str, Any]:
    known = {measured_column("picture", name): getattr(row.measures, name) for name in TYPES if name != GROUP}
    return {"picture": row.picture, "label": row.label, "path": path, **known, measured_column("picture", GROUP): group}
