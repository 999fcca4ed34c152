"""The areas of a picture as its parts, and a picture of what each adds to the score.

A picture comes as the model takes it: URL-safe base64 of a JPEG or PNG (`components/_core/types/column_types.py`).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.explain.value_parts import MOST_PARTS, DividedValue

if TYPE_CHECKING:
    from PIL.Image import Image

_SMALLEST_CELL = 2
"""Pixels of an area's side: of a smaller one nothing can be seen."""
OVERLAY_SIDE = 320
_ADDS, _TAKES = (31, 119, 180), (214, 90, 30)
"""Colours of what raises and lowers the score: blue and orange, which people who do not see red and green can tell apart."""


def divide_picture(value: str, most: int = MOST_PARTS) -> DividedValue:
    """Divide a picture into the areas of a grid, at most `most`; a covered one has the mean colour of the whole picture.

    Args:
        value: The picture as the model takes it.
        most: Most areas.
    """
    pixels = _pixels(value)
    height, width = pixels.shape[:2]
    side = int(most**0.5)
    rows, columns = (max(1, min(side, size // _SMALLEST_CELL)) for size in (height, width))
    lines, steps = (
        np.linspace(0, size, count + 1).round().astype(int) for size, count in ((height, rows), (width, columns))
    )
    mean = pixels.reshape(height * width, -1).mean(axis=0).round().astype(np.uint8)

    def cover(seen: NDArray[np.bool_]) -> str:
        """Return the picture with the areas that are not seen covered."""
        if seen.all():
            return value  # as it came: no second encoding changes a pixel
        mask = np.repeat(np.repeat(~seen.reshape(rows, columns), np.diff(lines), axis=0), np.diff(steps), axis=1)
        return _encode(np.where(mask[:, :, None], mean, pixels))

    names = tuple(f"row {row + 1}, column {column + 1}" for row in range(rows) for column in range(columns))
    return DividedValue(names, cover, columns)


def draw_overlay(value: str, parts: Sequence[float], columns: int, side: int = OVERLAY_SIDE) -> bytes:
    """Draw what the areas of a picture add to the score over a grey copy of it: blue raises the score, orange lowers it.

    Args:
        value: The picture as the model takes it.
        parts: What each area adds, in reading order.
        columns: Areas in each line.
        side: Longer side of the overlay, in pixels.

    Returns:
        A PNG.
    """
    from PIL import Image

    pixels = _pixels(value)
    grey = Image.fromarray(pixels[:, :, :3].mean(axis=2).astype(np.uint8)).convert("RGB")
    scale = side / max(grey.size)
    width, height = (max(1, round(side * scale)) for side in grey.size)
    size = (width, height)
    shares = np.asarray(parts, dtype=np.float64).reshape(-1, columns)
    strength = np.abs(shares) / max(float(np.abs(shares).max()), 1e-12)
    colours = np.where(shares[:, :, None] >= 0, _ADDS, _TAKES).astype(np.uint8)
    over = Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)
    mask = Image.fromarray((strength * 170).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    drawn = Image.composite(over, grey.resize(size, Image.Resampling.NEAREST), mask)
    return _as_png(drawn)


def _pixels(value: str) -> NDArray[np.uint8]:
    """Return the pixels, [height, width, channels], of a picture of 8 bits."""
    from PIL import Image

    with Image.open(io.BytesIO(base64.urlsafe_b64decode(value))) as opened:
        pixels = np.asarray(opened)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _encode(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    return base64.urlsafe_b64encode(
        _as_png(Image.fromarray(pixels.squeeze(axis=2) if pixels.shape[2] == 1 else pixels))
    ).decode()


def _as_png(picture: Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
