"""What is measured of a picture, once, from one decode: columns beside it, which checks, slices and rules name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, ImageChops

from components._core.pictures.canonical import over_white
from components._core.pictures.decode import Decoded
from components._core.types.measured_columns import PICTURE_MEASURES

_WHOLE = ("width", "height", "frames", "size")
_REAL = ("brightness", "contrast", "sharpness", "colour")
TYPES: dict[str, pa.DataType] = {
    name: pa.int64() if name in _WHOLE else pa.float32() if name in _REAL else pa.string() for name in PICTURE_MEASURES
}
"""Arrow type of each measured column, by its name behind the picture's own and a dot."""
SKETCH_SIDE = 11
"""Side of the small grey copy by which pictures are compared; see `near_groups.py`."""
_HASH_SIDE = 8
_SHRUNK_SIDE = 33
"""Shorter side, in pixels, down to which a picture is made smaller by whole steps: three times the sketch."""
_LEVELS = np.arange(256.0)
_SIDE = 256
"""Longer side, in pixels, of the copy on which sharpness is measured, so that it hardly depends on the resolution."""
_COLOUR_SIDE = 64
"""The same for colour, which is not in the details."""
_ENDINGS = {
    "jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "mpo": "JPEG", "png": "PNG", "apng": "PNG", "webp": "WEBP",
    "tif": "TIFF", "tiff": "TIFF", "gif": "GIF", "bmp": "BMP", "dib": "BMP",
}  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """Measures of a picture.

    Attributes:
        width: Width in pixels, upright.
        height: Height in pixels, upright.
        mode: Mode of the source, as Pillow names it: `L` grey, `RGB`, `RGBA`, `P` palette, `CMYK`, `I;16` grey of 16 bits.
        format: Format of the source.
        named: Format that the ending of its name says; None: it has no name, or an unknown ending.
        frames: Pictures in it.
        size: Bytes of the source.
        sha256: SHA-256 of the source's bytes, in hexadecimal digits.
        hash: Difference hash of 64 bits in hexadecimal digits: each bit says whether brightness rises to the right.
        brightness: Mean luma, 0 to 255.
        contrast: Standard deviation of the luma.
        sharpness: Variance of the Laplacian of the luma.
        colour: Mean difference between the largest and the smallest of red, green and blue, 0 to 255.
        sketch: Luma of a small copy, uint8 [121].
    """

    width: int
    height: int
    mode: str
    format: str
    named: str | None
    frames: int
    size: int
    sha256: str
    hash: str
    brightness: float
    contrast: float
    sharpness: float
    colour: float
    sketch: NDArray[np.uint8]


def measure(data: bytes, decoded: Decoded, name: str = "") -> Measures:
    """Measure a picture; what is transparent counts as white.

    Args:
        data: The encoded picture.
        decoded: The same, decoded.
        name: Its file name; empty: it has none.
    """
    shown = over_white(decoded.image)
    grey = shown if shown.mode == "L" else shown.convert("L")
    luma = np.asarray(_reduce(grey, _SIDE))
    histogram = np.asarray(grey.histogram(), dtype=np.float64)
    count = histogram.sum()
    brightness = float(histogram @ _LEVELS / count)
    contrast = float(np.sqrt(histogram @ (_LEVELS - brightness) ** 2 / count))
    shrunk = _prepare_shrinking(grey)
    return Measures(
        *decoded.image.size,
        decoded.mode,
        decoded.format,
        format_of_name(name),
        decoded.frames,
        len(data),
        hashlib.sha256(data).hexdigest(),
        _difference_hash(shrunk),
        brightness,
        contrast,
        _sharpness(luma),
        _colour(_reduce(shown, _COLOUR_SIDE)),
        np.asarray(_shrink(shrunk, (SKETCH_SIDE, SKETCH_SIDE)), dtype=np.uint8).ravel(),
    )


def format_of_name(name: str) -> str | None:
    """Return the format that a file name's ending says; None: it says none."""
    stem, dot, ending = name.rpartition(".")
    return _ENDINGS.get(ending.lower()) if dot and stem else None


def _reduce(shown: Image.Image, side: int) -> Image.Image:
    """Return a picture made smaller by a whole step, so that its longer side has at most so many pixels."""
    factor = -(-max(shown.size) // side)
    return shown.reduce(factor) if factor > 1 else shown


def _shrink(grey: Image.Image, size: tuple[int, int]) -> Image.Image:
    method = Image.Resampling.BOX if min(grey.size) >= max(size) else Image.Resampling.BILINEAR
    return grey.resize(size, method)


def _prepare_shrinking(grey: Image.Image) -> Image.Image:
    """Return a picture a few times smaller, by whole steps, which costs less than to shrink the whole one twice."""
    factor = min(grey.size) // _SHRUNK_SIDE
    return grey.reduce(factor) if factor > 1 else grey


def _difference_hash(grey: Image.Image) -> str:
    small = np.asarray(_shrink(grey, (_HASH_SIDE + 1, _HASH_SIDE)))
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes().hex()


def _sharpness(luma: NDArray[np.uint8]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    levels = luma.astype(np.int16)
    laplacian = levels[:-2, 1:-1] + levels[2:, 1:-1]
    laplacian += levels[1:-1, :-2]
    laplacian += levels[1:-1, 2:]
    laplacian -= 4 * levels[1:-1, 1:-1]
    flat = laplacian.ravel().astype(np.float32)  # at most 1,020 each: float32 holds their squares, and sums up in parts
    return max(float(np.dot(flat, flat)) / len(flat) - (float(flat.sum()) / len(flat)) ** 2, 0.0)


def _colour(small: Image.Image) -> float:
    if small.mode == "L":
        return 0.0
    red, green, blue = small.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    least = ImageChops.darker(ImageChops.darker(red, green), blue)
    counts = np.asarray(ImageChops.subtract(most, least).histogram(), dtype=np.float64)
    return float(counts @ _LEVELS / counts.sum())
