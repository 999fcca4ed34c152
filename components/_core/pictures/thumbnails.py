"""Small versions of pictures, to show in a page.

The bytes are those of examples, which ingest decoded within its bounds before (`canonical.py`).
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96
"""Longest side of a thumbnail, in pixels."""
_QUALITY = 70


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
