"""Small versions of pictures: to show in a page, and to compare two pictures.

The bytes are those of examples, which ingest decoded within its bounds before (`canonical.py`).
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96
"""Longest side of a thumbnail, in pixels."""
_GRID = 32
_QUALITY = 70
_SAME = 0.992
"""Correlation from which two pictures are one. Of 7,276 pairs of different digits of sklearn with similar hashes one reaches it; JPEGs of
quality 40 and pictures of half the size do from 64 pixels a side on."""

_TINY, _SAME_TINY = 16 * 16, 0.998


def thumbnail_uri(picture: bytes, side: int = SIDE) -> str:
    """Return a thumbnail as a data URI; empty when the picture cannot be decoded.

    A picture of less than half that size is enlarged, pixel by pixel. The shorter of PNG and JPEG is taken.

    Args:
        picture: The encoded picture.
        side: Longest side in pixels.
    """
    from PIL import Image

    reduced = _reduce(picture, side)
    if reduced is None:
        return ""
    flat = Image.new("RGB", reduced.size, "white")
    flat.paste(reduced.convert("RGB"), mask=reduced.convert("RGBA").getchannel("A"))
    flat = flat.resize([length * max(side // max(flat.size), 1) for length in flat.size], Image.Resampling.NEAREST)
    grey = flat.convert("L")
    plain = grey if np.array_equal(np.asarray(flat), np.asarray(grey.convert("RGB"))) else flat
    encoded = [("png", _encode(plain, "PNG", optimize=True)), ("jpeg", _encode(plain, "JPEG", quality=_QUALITY))]
    kind, content = min(encoded, key=lambda each: len(each[1]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def luma_grid(picture: bytes) -> NDArray[np.float64] | None:
    """Return the luma of a picture on a grid, shape [32, 32], or None when the picture cannot be decoded."""
    from PIL import Image

    reduced = _reduce(picture, 4 * _GRID)
    if reduced is None:
        return None
    return np.asarray(reduced.convert("L").resize((_GRID, _GRID), Image.Resampling.BILINEAR), np.float64)


def same_picture(one: NDArray[np.float64], other: NDArray[np.float64], pixels: float) -> bool:
    """Return whether two grids of luma show one picture: in another size, quality, brightness or contrast.

    Pictures of one colour equal no other.

    Args:
        one: Output of `luma_grid`.
        other: That of the other picture.
        pixels: Number of pixels of the smaller one: pictures of a few pixels are similar sooner.
    """
    deviations = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return scale > 0 and float((deviations[0] * deviations[1]).sum()) / scale >= (
        _SAME_TINY if pixels < _TINY else _SAME
    )


def _reduce(picture: bytes, side: int) -> Image.Image | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture)) as opened:
            opened.draft("RGB", (2 * side, 2 * side))  # a JPEG is decoded at a fraction of its size, which is quicker
            opened.load()
            reduced = opened.convert("RGBA") if _is_transparent(opened) else opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError):
        return None
    reduced.thumbnail((side, side), Image.Resampling.BOX)
    return reduced


def _is_transparent(opened: Image.Image) -> bool:
    return opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info


def _encode(picture: Image.Image, kind: str, **options: int | bool) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()
