"""One form for all pictures, so that a model's graph decodes them the same in training and in service.

TensorFlow's graph reads JPEG and PNG, knows no orientation of EXIF, and no palettes of CMYK or 16 bits. A picture that it reads as a
person sees it stays as it is, byte for byte; any other becomes a PNG that is upright. Ingest and the predictor call the same function.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from components._core.pictures.decode import Decoded, Limits, open_picture

_PLAIN_MODES = {"JPEG": ("L", "RGB"), "PNG": ("L", "RGB", "RGBA")}
_COMPRESSION = 3
"""Of a PNG that is written: five times as fast as the default and a tenth larger."""


def to_canonical(data: bytes, limits: Limits | None = None) -> bytes:
    """Return a picture as a JPEG or PNG of 8 bits in L, RGB or RGBA, upright.

    Args:
        data: The encoded picture.
        limits: Bounds; None: the default ones.

    Raises:
        PictureError: As in `open_picture`.
    """
    return canonical_bytes(data, open_picture(data, limits))


def canonical_bytes(data: bytes, decoded: Decoded) -> bytes:
    """Return the canonical form of a picture that was decoded before; `data` itself where it is canonical."""
    if is_canonical(decoded):
        return data
    stream = io.BytesIO()
    shown = to_8_bits(decoded.image)
    shown.info = {}  # no metadata travels: where a photograph was taken is not for a model
    shown.save(stream, "PNG", compress_level=_COMPRESSION)
    return stream.getvalue()


def is_canonical(decoded: Decoded) -> bool:
    """Return whether TensorFlow reads a picture as a person sees it."""
    plain = decoded.mode in _PLAIN_MODES.get(decoded.format, ())
    return plain and decoded.frames == 1 and not decoded.turned and not decoded.masked


def to_8_bits(image: Image.Image) -> Image.Image:
    """Return a picture in the mode L, RGB or RGBA, whatever mode it has.

    16 bits are cut to the upper 8; what has transparent pixels keeps them.
    """
    if "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode in ("LA", "PA", "La", "RGBa"):
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I;16"):
        return _upper_bits(image)
    return image.convert("RGB")


def over_white(image: Image.Image) -> Image.Image:
    """Return a picture in the mode L or RGB; transparent pixels become white, as on a page."""
    plain = to_8_bits(image)
    if plain.mode != "RGBA":
        return plain
    flat = Image.new("RGB", plain.size, "white")
    flat.paste(plain, mask=plain.getchannel("A"))
    return flat


def _upper_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    return Image.fromarray((values >> np.uint16(8)).astype(np.uint8))
