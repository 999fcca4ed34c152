"""Examples with pictures and the columns that ingest measures, made from Pillow's pictures."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

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


@dataclass(frozen=True)
class Sample:
    """A picture as a file: its bytes, its label, the split it is in, and the kind that its name says."""

    content: bytes
    label: str | None = "a"
    split: str = "train"
    named: str | None = None
    span: int = 1


def scene(seed: int, side: int = 64) -> Image.Image:
    """A picture of coloured shapes on a coloured ground with a slope of light and some noise."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (side, side), tuple(random.integers(60, 200, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        left, top = random.integers(0, side, 2).tolist()
        size = int(random.integers(side // 6, side // 2))
        draw.ellipse((left, top, left + size, top + size), fill=tuple(random.integers(0, 256, 3).tolist()))
    slope = np.add.outer(np.linspace(-20, 20, side), np.linspace(0, 40 * random.uniform(-1, 1), side))[..., None]
    noisy = np.asarray(picture, np.float64) + slope + random.normal(0, 6, (side, side, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as a file."""
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def write_pictures(samples: Sequence[Sample], examples: Path, row_group_size: int = 50) -> Path:
    """Write examples of pictures, measured."""
    rows = [_measured(sample, number) for number, sample in enumerate(samples)]
    groups: dict[int, str] = {}
    for row in rows:
        found = int(row["picture.hash"], 16)
        near = next((name for known, name in groups.items() if (known ^ found).bit_count() <= 6), row["picture.hash"])
        groups.setdefault(found, near)
        row["picture.group"] = near
    spans = sorted({sample.span for sample in samples})
    for split in SPLITS:
        for span in spans:
            part = [
                row for row, sample in zip(rows, samples, strict=True) if (sample.split, sample.span) == (split, span)
            ]
            path = split_file(examples, split, span)
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(part, SCHEMA), path, row_group_size=row_group_size)
    kinds = {name: type_of_arrow(kind, name).name for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)}
    counts = {split: sum(sample.split == split for sample in samples) for split in SPLITS}
    Manifest("fingerprint", kinds, counts, spans, []).save(examples)
    return examples


def _measured(sample: Sample, number: int) -> dict[str, Any]:
    picture = Image.open(io.BytesIO(sample.content))
    luma = picture.convert("RGB").convert("L")
    reduced = luma.copy()
    reduced.thumbnail((128, 128))
    grid = np.asarray(reduced, np.float64)
    edges = 4 * grid[1:-1, 1:-1] - grid[:-2, 1:-1] - grid[2:, 1:-1] - grid[1:-1, :-2] - grid[1:-1, 2:]
    small = np.asarray(luma.resize((9, 8), Image.Resampling.BOX), np.int64)
    bits = "".join("01"[int(bit)] for bit in (small[:, 1:] > small[:, :-1]).ravel())
    return {
        "picture": sample.content,
        "label": sample.label,
        "path": f"pictures/{sample.label}/{number}",
        "picture.width": picture.width,
        "picture.height": picture.height,
        "picture.mode": picture.mode,
        "picture.format": picture.format,
        "picture.named": sample.named,
        "picture.frames": getattr(picture, "n_frames", 1),
        "picture.size": len(sample.content),
        "picture.sha256": hashlib.sha256(sample.content).hexdigest(),
        "picture.hash": f"{int(bits, 2):016x}",
        "picture.brightness": float(np.asarray(luma).mean()),
        "picture.contrast": float(np.asarray(luma).std()),
        "picture.sharpness": float(edges.var()),
        "picture.colour": float(np.asarray(picture.convert("RGB").convert("HSV"))[..., 1].mean()),
    }
