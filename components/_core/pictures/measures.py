"""What is measured of a picture, once, from one decode: columns beside it, which checks, slices and rules name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

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
_SHRUNK_SIDE = 99
"""Shorter side, in pixels, down to which a picture is made smaller by whole steps: nine times the sketch, so that their grid hardly shows."""
_SIDE = 256
"""Longer side, in pixels, of the copy on which light and sharpness are measured, so that they do not depend on the resolution."""
_COLOUR_SIDE = 16
_CACHED = 1 << 16
"""Pixels that are measured at a time: their numbers stay in the processor's cache."""
_ENDINGS = {
    "jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "mpo": "JPEG", "png": "PNG", "apng": "PNG", "webp": "WEBP",
    "tif": "TIFF", "tiff": "TIFF", "gif": "GIF", "bmp": "BMP", "dib": "BMP",
}  # fmt: skip


@dataclass(frozen=True)
class Reduced:
    """A picture reduced to what is measured of it; the first attributes as in `Measures`.

    Attributes:
        luma: Luma of the picture, of at most 256 pixels a side, row by row.
        shape: Height and width of `luma`.
        cells: Luma of 9 x 8 cells.
        sketch: Luma of 11 x 11 cells.
        colours: Pixels in RGB, of 16 to 32 a side; empty: it is grey.
    """

    width: int
    height: int
    mode: str
    format: str
    named: str | None
    frames: int
    size: int
    sha256: str
    luma: bytes
    shape: tuple[int, int]
    cells: bytes
    sketch: bytes
    colours: bytes


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
    return measure_all([reduce_picture(data, decoded, name)])[0]


def reduce_picture(data: bytes, decoded: Decoded, name: str = "") -> Reduced:
    """Reduce a picture to what is measured of it; see `measure`."""
    shown = over_white(decoded.image)
    grey = shown if shown.mode == "L" else shown.convert("L")
    small = _reduce(grey, -(-max(grey.size) // _SIDE))
    shrunk = _reduce(grey, min(grey.size) // _SHRUNK_SIDE)
    coloured = _reduce(shown, min(shown.size) // _COLOUR_SIDE).tobytes() if shown.mode == "RGB" else b""
    return Reduced(
        *decoded.image.size,
        decoded.mode,
        decoded.format,
        format_of_name(name),
        decoded.frames,
        len(data),
        hashlib.sha256(data).hexdigest(),
        luma=small.tobytes(),
        shape=(small.height, small.width),
        cells=_shrink(shrunk, (_HASH_SIDE + 1, _HASH_SIDE)),
        sketch=_shrink(shrunk, (SKETCH_SIDE, SKETCH_SIDE)),
        colours=coloured,
    )


def measure_all(pictures: Sequence[Reduced]) -> list[Measures]:
    """Measure reduced pictures, all at once: the arithmetic of a small one takes less time than the calls would."""
    if not pictures:
        return []
    count = len(pictures)
    cells = _stack([each.cells for each in pictures]).reshape(count, _HASH_SIDE, _HASH_SIDE + 1)
    hashes = np.packbits((cells[:, :, 1:] > cells[:, :, :-1]).reshape(count, -1), axis=1)
    sketches = _stack([each.sketch for each in pictures]).reshape(count, SKETCH_SIDE**2)
    light = _measure_light(pictures)
    colours = _measure_colours([each.colours for each in pictures])
    return [
        Measures(
            *(each.width, each.height, each.mode, each.format, each.named, each.frames, each.size, each.sha256),
            hash=hashes[row].tobytes().hex(),
            brightness=float(light[row, 0]),
            contrast=float(light[row, 1]),
            sharpness=float(light[row, 2]),
            colour=float(colours[row]),
            sketch=sketches[row],
        )
        for row, each in enumerate(pictures)
    ]


def format_of_name(name: str) -> str | None:
    """Return the format that a file name's ending says; None: it says none."""
    stem, dot, ending = name.rpartition(".")
    return _ENDINGS.get(ending.lower()) if dot and stem else None


def _reduce(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image


def _shrink(grey: Image.Image, size: tuple[int, int]) -> bytes:
    # Pillow widens the filter where it shrinks; with boxes, whose edges are where the pixels' are not, another size gives another copy
    return grey.resize(size, Image.Resampling.BILINEAR).tobytes()


def _stack(parts: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(parts), np.uint8)


def _measure_light(pictures: Sequence[Reduced]) -> NDArray[np.float64]:
    """Return brightness, contrast and sharpness: [pictures, 3]; those of one size are measured together."""
    found = np.zeros((len(pictures), 3))
    by_shape: dict[tuple[int, int], list[int]] = {}
    for row, each in enumerate(pictures):
        by_shape.setdefault(each.shape, []).append(row)
    for shape, alike in by_shape.items():
        step = max(_CACHED // (shape[0] * shape[1]), 1)
        for rows in (alike[first : first + step] for first in range(0, len(alike), step)):
            luma = _stack([pictures[row].luma for row in rows]).reshape(len(rows), *shape)
            means, variances = _moments(luma.reshape(len(rows), -1))
            found[rows] = np.stack([means, np.sqrt(variances), _sharpness(luma)], axis=1)
    return found


def _moments(values: NDArray[np.uint8] | NDArray[np.int16]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of each row of whole numbers."""
    real = values.astype(np.float32)  # holds the square of each, of at most 1,020; sums are taken in parts
    first = real[:, :1].copy()
    real -= first  # a picture of one colour has the variance 0, however bright it is
    count = values.shape[1]
    means = real.sum(axis=1).astype(np.float64) / count
    variances = np.array([float(np.dot(row, row)) for row in real]) / count - means**2
    return means + first[:, 0], np.maximum(variances, 0)


def _sharpness(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    if min(luma.shape[1:]) < 3:
        return np.zeros(len(luma))
    levels = luma.astype(np.int16)
    laplacian = levels[:, :-2, 1:-1] + levels[:, 2:, 1:-1]
    laplacian += levels[:, 1:-1, :-2]
    laplacian += levels[:, 1:-1, 2:]
    laplacian -= 4 * levels[:, 1:-1, 1:-1]
    return _moments(laplacian.reshape(len(luma), -1))[1]


def _measure_colours(pictures: Sequence[bytes]) -> NDArray[np.float64]:
    """Return the mean difference of the largest and the smallest channel, given pixels in RGB; none: grey."""
    found = np.zeros(len(pictures))
    rows = [row for row, pixels in enumerate(pictures) if pixels]
    if rows:
        red, green, blue = _stack([pictures[row] for row in rows]).reshape(-1, 3).T
        spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
        lengths = np.array([len(pictures[row]) // 3 for row in rows])
        found[rows] = np.add.reduceat(spread.astype(np.int64), np.cumsum(lengths) - lengths) / lengths
    return found
