"""One form for all pictures, so that a model's graph decodes them the same in training and in service.

TensorFlow's graph reads JPEG and PNG, knows no orientation of EXIF, and no palettes of CMYK or 16 bits. A picture that it reads as a
person sees it stays as it is, byte for byte; any other becomes a PNG that is upright. Ingest and the predictor call the same function.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from components._core.pictures.decode import Decoded, Limits, open_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLAIN_MODES = {"JPEG": ("L", "RGB"), "PNG": ("L", "RGB", "RGBA")}
_COMPRESSION = 3
"""Of a PNG that is written: five times as fast as the default and a tenth larger."""
_BITS_8 = 255
_PART = 1 << 20
"""Pixels that are scaled at a time."""


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

    16 bits are cut to the upper 8, real numbers from 0 to 1 are scaled; what has transparent pixels keeps them.
    """
    if "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode in ("LA", "PA", "La", "RGBa"):
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scale(np.asarray(image)))
    return image.convert("RGB")


def _scale(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale one channel of more than 8 bits to 8, by its type alone: equal values of two pictures stay equal.

    Part by part, since real numbers of a whole picture are many times as large as its pixels.
    """
    flat = values.reshape(-1)
    parts = [slice(first, first + _PART) for first in range(0, flat.size, _PART)]
    most = max((float(_real(flat[part]).max()) for part in parts), default=0.0)
    if values.dtype.kind == "f":
        factor = float(_BITS_8) if most <= 1 else 1.0
    else:
        factor = 1 / (_BITS_8 + 1) if most > _BITS_8 or values.dtype == np.uint16 else 1.0
    scaled = np.empty(flat.size, np.uint8)
    for part in parts:  # what is left behind the point is cut
        scaled[part] = np.clip(_real(flat[part]) * factor, 0, _BITS_8).astype(np.uint8)
    return scaled.reshape(values.shape)


def _real(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64))
