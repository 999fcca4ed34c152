"""Pictures made by Pillow, as files and as examples that ingest measured."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.pictures.measured_examples import MEASURED, measure_file, write_examples

__all__ = ["MEASURED", "Sample", "encoded", "scene", "write_pictures"]


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


def write_pictures(samples: Sequence[Sample], examples: Path) -> Path:
    """Write examples of pictures, measured."""
    rows = [measure_file(each.content, each.named, each.label, each.split, each.span) for each in samples]
    return write_examples(rows, examples)
