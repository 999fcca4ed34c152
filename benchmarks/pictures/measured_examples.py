"""Examples of pictures as ingest writes them, from files in memory: to check findings without reading folders again and again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from components._core.examples.artifact import SPLITS, Manifest, split_file
from components._core.types.column_types import type_of_arrow

SCHEMA = pa.schema(
    {
        "picture": pa.binary(),
        "label": pa.string(),
        "path": pa.string(),
        "picture.width": pa.int64(),
        "picture.height": pa.int64(),
        "picture.mode": pa.string(),
        "picture.format": pa.string(),
        "picture.named": pa.string(),
        "picture.frames": pa.int64(),
        "picture.size": pa.int64(),
        "picture.sha256": pa.string(),
        "picture.hash": pa.string(),
        "picture.group": pa.string(),
        "picture.brightness": pa.float32(),
        "picture.contrast": pa.float32(),
        "picture.sharpness": pa.float32(),
        "picture.colour": pa.float32(),
    }
)
MEASURED = [name for name in SCHEMA.names if name.startswith("picture.")]
_NEAR = 6


@dataclass(frozen=True)
class Measured:
    """A picture as a row.

    Attributes:
        columns: Values by column, without the group.
        split: The split it is in.
        span: Its span.
    """

    columns: dict[str, Any]
    split: str = "train"
    span: int = 1

    @property
    def label(self) -> str:
        """Its label; empty: none."""
        return self.columns["label"] or ""


def measure_file(
    content: bytes, named: str | None = None, label: str | None = "a", split: str = "train", span: int = 1
) -> Measured:
    """Measure a picture.

    Args:
        content: The file.
        named: The kind that its name says; None: it has no name.
        label: Its label; None: none.
        split: The split it is in.
        span: Its span.
    """
    picture = Image.open(io.BytesIO(content))
    luma = picture.convert("RGB").convert("L")
    reduced = luma.copy()
    reduced.thumbnail((128, 128))
    grid = np.asarray(reduced, np.float64)
    edges = 4 * grid[1:-1, 1:-1] - grid[:-2, 1:-1] - grid[2:, 1:-1] - grid[1:-1, :-2] - grid[1:-1, 2:]
    small = np.asarray(luma.resize((9, 8), Image.Resampling.BOX), np.int64)
    bits = "".join("01"[int(bit)] for bit in (small[:, 1:] > small[:, :-1]).ravel())
    columns = {
        "picture": content,
        "label": label,
        "picture.width": picture.width,
        "picture.height": picture.height,
        "picture.mode": picture.mode,
        "picture.format": picture.format,
        "picture.named": named,
        "picture.frames": getattr(picture, "n_frames", 1),
        "picture.size": len(content),
        "picture.sha256": hashlib.sha256(content).hexdigest(),
        "picture.hash": f"{int(bits, 2):016x}",
        "picture.brightness": float(np.asarray(luma).mean()),
        "picture.contrast": float(np.asarray(luma).std()),
        "picture.sharpness": float(edges.var()),
        "picture.colour": float(np.asarray(picture.convert("RGB").convert("HSV"))[..., 1].mean()),
    }
    return Measured(columns, split, span)


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
    leaders: list[int] = []
    full = []
    for number, row in enumerate(rows):
        found = int(row.columns["picture.hash"], 16)
        near = next((known for known in leaders if (known ^ found).bit_count() <= _NEAR), None)
        if near is None:
            leaders.append(near := found)
        full.append({**row.columns, "path": f"pictures/{row.label}/{number}", "picture.group": f"{near:016x}"})
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
