"""Open an encoded picture that others made: within bounds, whole, upright, and without an error of Pillow's own.

`Image.verify()` accepts a truncated JPEG, so a picture is decoded whole. Its size is read from the header before that, since a few
kilobytes can stand for gigabytes of pixels.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
"""What is read; each other format of Pillow is code that no project needs and a stranger may reach."""
MAX_PIXELS = 50_000_000
MAX_BYTES = 20 << 20
MOST_PIXELS = 150_000_000
"""Largest bound that can be set: Pillow itself refuses pictures of more than 179 million pixels."""
MOST_PAGES = 1_000
"""Pages of a TIFF that are counted: Pillow looks through all earlier ones for each, minutes for the file of some megabytes that a stranger makes."""
_BIG_TIFF = 43
_SHOWN = 100
_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, LookupError, TypeError, ArithmeticError),
    *(AttributeError, RuntimeError, MemoryError, AssertionError),
)
"""What Pillow's decoders raise for damaged bytes; none of it is Naru's."""

# Pillow warns of damaged metadata and of sizes above a bound of its own, for each picture; what matters is an error here.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.")


class PictureError(ValueError):
    """A picture that is not read, with the reason for a person."""


class PictureTooLargeError(PictureError):
    """A picture of more bytes or pixels than allowed."""


@dataclass(frozen=True)
class Limits:
    """Bounds on one picture.

    Attributes:
        max_pixels: Width times height.
        max_bytes: Bytes of the encoded picture.
    """

    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True)
class Decoded:
    """A decoded picture.

    Attributes:
        image: The pixels of the first frame, upright, in the mode of the source.
        format: Format of the source, one of `FORMATS`.
        mode: Pillow's name of the source's mode, as in `RGB`.
        frames: Pictures in it; more than one in an animation, or in a TIFF of several pages, of which `MOST_PAGES` are counted.
        turned: Whether its orientation was set right.
        masked: Whether a colour or a palette entry stands for transparent pixels.
    """

    image: Image.Image
    format: str
    mode: str
    frames: int
    turned: bool
    masked: bool


def open_picture(data: bytes, limits: Limits | None = None) -> Decoded:
    """Decode a picture.

    Args:
        data: The encoded picture.
        limits: Bounds; None: the default ones.

    Raises:
        PictureError: When it is empty, too large, not of an allowed format, truncated or damaged.
    """
    limits = limits or Limits()
    if not data:
        raise PictureError("is empty: it has no bytes")
    if len(data) > limits.max_bytes:
        raise PictureTooLargeError(f"has {len(data):,} bytes; at most {limits.max_bytes:,} are allowed")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise PictureError(f"is not a picture of an allowed format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError as error:
        raise _too_many(_pixels_of(error), limits) from None
    except _ERRORS as error:
        raise _damaged(error) from None
    return _load(image, data, limits)


def _load(image: Image.Image, data: bytes, limits: Limits) -> Decoded:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise _too_many(f"{width:,} x {height:,}", limits)
    kind, mode = image.format or "", image.mode
    try:
        frames = _count_frames(image, kind, data)
        masked = "transparency" in image.info
        orientation = _orientation(image)
        image.seek(0) if frames > 1 else None
        image.load()
        upright = ImageOps.exif_transpose(image) if orientation != 1 and kind != "TIFF" else image
    except Image.DecompressionBombError as error:
        raise _too_many(_pixels_of(error), limits) from None
    except _ERRORS as error:
        raise _damaged(error) from None
    # a phone's JPEG of several pictures is a JPEG to all who read the first; Pillow turns a TIFF itself while it loads
    return Decoded(upright, "JPEG" if kind == "MPO" else kind, mode, frames, orientation != 1, masked)


def _count_frames(image: Image.Image, kind: str, data: bytes) -> int:
    if kind == "TIFF":
        return _count_pages(data)
    return 1 if kind == "MPO" else int(getattr(image, "n_frames", 1))


def _count_pages(data: bytes) -> int:
    """Count the pages of a TIFF, `MOST_PAGES` at most: directories, each with the place of the next one (TIFF 6.0, section 2; BigTIFF).

    Raises:
        PictureError: When a directory is behind the file's end.
    """
    order = "<" if data.startswith(b"II") else ">"
    is_big = struct.unpack_from(f"{order}H", data, 2)[0] == _BIG_TIFF
    number, place, entry, first = ("Q", "Q", 20, 8) if is_big else ("H", "I", 12, 4)
    seen = set[int]()
    try:
        (offset,) = struct.unpack_from(order + place, data, first)
        while offset and offset not in seen and len(seen) < MOST_PAGES:
            seen.add(offset)
            (entries,) = struct.unpack_from(order + number, data, offset)
            (offset,) = struct.unpack_from(
                order + place, data, offset + struct.calcsize(f"<{number}") + entries * entry
            )
    except (struct.error, OverflowError):
        raise PictureError("is truncated: its end is missing") from None
    return len(seen)


def _orientation(image: Image.Image) -> int:
    """Return the orientation of EXIF, 1 to 8; 1, upright, also where its metadata is damaged or says nothing sensible."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _ERRORS:
        return 1
    return found if found in range(1, 9) else 1


def _too_many(pixels: str, limits: Limits) -> PictureError:
    return PictureTooLargeError(f"has {pixels} pixels; at most {limits.max_pixels:,} are allowed")


def _pixels_of(error: Exception) -> str:
    found = re.search(r"\((\d+) pixels\)", str(error))
    return f"{int(found[1]):,}" if found else "too many"


def _damaged(error: Exception) -> PictureError:
    text = " ".join(str(error).split())[:_SHOWN]
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return PictureError("is truncated: its end is missing")
    return PictureError(f"is damaged: {text or type(error).__name__}")
