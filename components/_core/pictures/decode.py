"""Open an encoded picture that others made: within bounds, whole, upright, and without an error of Pillow's own.

`Image.verify()` accepts a truncated JPEG, so a picture is decoded whole. Its size is read from the header before that, since a few
kilobytes can stand for gigabytes of pixels, or for hours of work: the scans of a JPEG and the pages of a TIFF are bounded as well.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from components._core.pictures.silence import silence_pillow

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
"""What is read; each other format of Pillow is code that no project needs and a stranger may reach."""
MAX_PIXELS = 50_000_000
MAX_BYTES = 20 << 20
MOST_PIXELS = 150_000_000
"""Largest bound that can be set: Pillow itself refuses pictures of more than 179 million pixels."""
_SHOWN = 100
_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, LookupError, TypeError, ArithmeticError),
    *(AttributeError, RuntimeError, MemoryError, AssertionError),
)
"""What Pillow's decoders raise for damaged bytes; none of it is Naru's."""

_MOST_SCANNED = 1_000_000_000
"""Pixels times scans of a JPEG: a progressive one has some ten scans, and each costs as much as the first."""
_SCAN = b"\xff\xda"
MOST_FRAMES = 1_000
"""Pages of a TIFF up to which they are counted: each takes a third of a millisecond."""
_PNG = b"\x89PNG\r\n\x1a\n"
_CHECKED_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
"""Chunks of a PNG with a wrong checksum, or without the last one, are read by Pillow and not by TensorFlow."""


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
        frames: Pictures in it; more than one in an animation, or in a TIFF of several pages (counted up to 1,000).
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
    silence_pillow()
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise PictureError(f"is not a picture of an allowed format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError as error:
        raise _too_many(_pixels_of(error), limits) from None
    except _ERRORS as error:
        raise _damaged(error) from None
    _check_header(image, data, limits)
    return _load(image, limits)


def _check_header(image: Image.Image, data: bytes, limits: Limits) -> None:
    """Refuse a picture by what its header and its structure say, before a pixel is decoded."""
    width, height = image.size
    if width * height > limits.max_pixels:
        raise _too_many(f"{width:,} x {height:,}", limits)
    if image.mode[:1] == "F" or image.mode == "I":
        raise PictureError(f"has pixels of 32 bits (mode {image.mode}), whose range is unknown; 8 and 16 bits are read")
    scans = data.count(_SCAN) if image.format in ("JPEG", "MPO") else 1
    if width * height * scans > _MOST_SCANNED:
        message = (
            f"has {scans:,} scans of {width:,} x {height:,} pixels; at most {_MOST_SCANNED:,} pixels in all are read"
        )
        raise PictureError(message)
    if image.format == "PNG":
        _check_chunks(data)


def _check_chunks(data: bytes) -> None:
    """Refuse a PNG with a wrong checksum, or without its end."""
    place, view, kind = len(_PNG), memoryview(data), b""
    while kind != b"IEND":
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(data):
            raise PictureError("is truncated: its end is missing")
        if kind in _CHECKED_CHUNKS and zlib.crc32(view[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise PictureError(f"is damaged: the checksum of its chunk {kind.decode('ascii')} is wrong")
        place = end + 4


def _load(image: Image.Image, limits: Limits) -> Decoded:
    kind, mode = image.format or "", image.mode
    try:
        frames = _count_frames(image, kind)
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


def _count_frames(image: Image.Image, kind: str) -> int:
    if kind in ("JPEG", "MPO"):
        return 1
    if kind != "TIFF":
        return int(getattr(image, "n_frames", 1))
    count = 1
    with suppress(EOFError):
        while count < MOST_FRAMES:
            image.seek(count)
            count += 1
    image.seek(0)
    return count


def _orientation(image: Image.Image) -> int:
    """Return the orientation of EXIF, 1 to 8; 1, upright, also where its metadata is damaged or says nothing sensible."""
    if image.format != "TIFF" and not image.info.get("exif") and "Raw profile type exif" not in image.info:
        return 1
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
