"""Pictures that others made: what is read, and what is refused with which reason."""

from __future__ import annotations

import io
import struct
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components._core.pictures.canonical import to_8_bits, to_canonical
from components._core.pictures.decode import MOST_FRAMES, Limits, PictureError, open_picture
from tests.components.core.pictures.pictures import bomb, encode, scene

TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"hello, world", "is not a picture of an allowed format"),
        (b"%PDF-1.7 and more", "is not a picture of an allowed format"),
        (b"\x89PNG\r\n\x1a\n", "is not a picture|is damaged|is truncated"),
        (encode(scene(), "JPEG")[:-200], "is truncated"),
        (encode(scene(1, 200, 200), "PNG")[:-300], "is truncated|is damaged"),
        (encode(scene(), "WEBP")[:-100], "is truncated|is damaged|is not a picture"),
        (encode(scene(), "TIFF")[:-500], "is truncated|is damaged"),
        (encode(scene(), "PPM"), "is not a picture of an allowed format"),
        (encode(scene(), "ICO"), "is not a picture of an allowed format"),
        (bomb(), "has .*pixels; at most 50,000,000 are allowed"),
        (bomb(9_000, 9_000), "has 9,000 x 9,000 pixels; at most 50,000,000 are allowed"),
        (
            encode(scene(), "BMP") + b"\0" * (21 << 20),
            "has 22,0.. bytes|has 22,.* bytes; at most 20,971,520 are allowed",
        ),
    ],
)
def test_what_is_not_a_whole_picture_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PictureError, match=reason):
            open_picture(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_any_byte_that_is_damaged_gives_a_picture_or_a_reason(kind: str) -> None:
    whole, random = bytearray(encode(scene(2, 16, 12), kind)), np.random.default_rng(7)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            damaged[place] = random.integers(256)
        with suppress(PictureError):  # and no error of Pillow's
            assert to_canonical(bytes(damaged))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_that_lies_on_its_side_stands_upright(kind: str) -> None:
    image = scene(3, 40, 30)
    found = open_picture(encode(image, kind, exif=TURNED, **({"lossless": True} if kind == "WEBP" else {})))
    assert found.image.size == (30, 40)
    assert found.turned
    if kind != "JPEG":
        assert np.array_equal(np.asarray(found.image.convert("RGB")), np.rot90(np.asarray(image), -1))


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "L"), ("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "L"), ("JPEG", "RGB")]
)
def test_what_tensorflow_reads_as_a_person_sees_it_stays_as_it_is(kind: str, mode: str) -> None:
    data = encode(scene().convert(mode), kind)
    assert to_canonical(data) is data


def grey_16() -> bytes:
    return encode(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50), "PNG")


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (encode(scene(), "WEBP"), "RGB"),
        (encode(scene(), "TIFF"), "RGB"),
        (encode(scene(), "BMP"), "RGB"),
        (encode(scene().convert("P"), "GIF"), "RGB"),
        (encode(scene().convert("P"), "PNG"), "RGB"),
        (encode(scene().convert("P"), "PNG", transparency=0), "RGBA"),
        (encode(scene().convert("LA"), "PNG"), "RGBA"),
        (encode(scene().convert("1"), "PNG"), "L"),
        (encode(scene().convert("CMYK"), "JPEG"), "RGB"),
        (encode(scene().convert("CMYK"), "TIFF"), "RGB"),
        (grey_16(), "L"),
        (encode(scene(), "PNG", exif=TURNED), "RGB"),
        (encode(scene(1), "GIF", save_all=True, append_images=[scene(2), scene(3)]), "RGB"),
        (encode(scene(1), "PNG", save_all=True, append_images=[scene(2)]), "RGB"),
    ],
)
def test_any_other_becomes_a_png_that_stays_as_it_is(data: bytes, mode: str) -> None:
    found = to_canonical(data)
    with Image.open(io.BytesIO(found)) as image:
        assert (image.format, image.mode, getattr(image, "n_frames", 1)) == ("PNG", mode, 1)
        assert not image.getexif()
    assert to_canonical(found) is found


def test_16_bits_are_cut_to_the_upper_8() -> None:
    shown = np.asarray(Image.open(io.BytesIO(to_canonical(grey_16()))))
    assert np.array_equal(shown, (np.arange(1200).reshape(30, 40) * 50) >> 8)


def test_the_first_frame_of_an_animation_is_its_picture() -> None:
    data = encode(scene(1), "PNG", save_all=True, append_images=[scene(2), scene(3)])
    found = open_picture(data)
    assert found.frames == 3
    assert np.array_equal(np.asarray(found.image.convert("RGB")), np.asarray(scene(1)))


def chunk_place(data: bytes, kind: bytes) -> int:
    """The place of the checksum of a chunk of a PNG."""
    start = data.index(kind)
    return start + 4 + int.from_bytes(data[start - 4 : start], "big")


def test_a_png_that_tensorflow_would_refuse_is_refused() -> None:
    whole = encode(scene())
    assert tf.io.decode_png(to_canonical(whole)).shape == (30, 40, 3)
    wrong = bytearray(whole)
    wrong[chunk_place(whole, b"IDAT")] ^= 1
    for data, reason in ((bytes(wrong), "the checksum of its chunk IDAT is wrong"), (whole[:-12], "is truncated")):
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.io.decode_png(data)
        with pytest.raises(PictureError, match=reason):
            open_picture(data)


@pytest.mark.parametrize("pixel", [np.float32(0.5), np.int32(70_000)])
def test_pixels_whose_range_is_unknown_are_refused(pixel: np.generic) -> None:
    with pytest.raises(PictureError, match="whose range is unknown"):
        open_picture(encode(Image.fromarray(np.full((8, 8), pixel)), "TIFF"))


def test_a_jpeg_that_takes_hours_to_decode_is_refused_before_that() -> None:
    data = encode(Image.new("L", (1_000, 1_000)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert open_picture(data).image.size == (1_000, 1_000)
    with pytest.raises(PictureError, match=r"has 1,0\d\d scans of 1,000 x 1,000 pixels; at most"):
        open_picture(data[:-2] + scan * 1_000 + data[-2:])


def test_pages_of_a_tiff_are_counted_up_to_a_bound_and_the_first_is_read() -> None:
    first = scene(1).convert("L")
    data = encode(first, "TIFF", save_all=True, append_images=[Image.new("L", (2, 2))] * 1_100, exif=TURNED)
    found = open_picture(data)
    assert (found.frames, found.image.size, found.turned) == (1_000, (30, 40), True)


def test_damaged_files_write_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    whole, random = bytearray(encode(scene(2, 64, 64), "TIFF", compression="tiff_lzw")), np.random.default_rng(7)
    refused = 0
    for _ in range(50):
        damaged = bytearray(whole)
        for place in random.integers(8, 400, 4):
            damaged[place] = random.integers(256)
        try:
            open_picture(bytes(damaged))
        except PictureError:
            refused += 1
    assert refused > 10
    assert capfd.readouterr() == ("", "")


def test_a_project_sets_its_own_bounds() -> None:
    data = encode(scene(0, 40, 30))
    with pytest.raises(PictureError, match=r"has 40 x 30 pixels; at most 1,000 are allowed"):
        open_picture(data, Limits(max_pixels=1_000))
    with pytest.raises(PictureError, match=r"bytes; at most 100 are allowed"):
        open_picture(data, Limits(max_bytes=100))


def test_the_pages_of_a_tiff_are_counted_in_both_byte_orders() -> None:
    pages = [scene(seed) for seed in range(3)]
    for options in ({}, {"big_tiff": True}):
        stream = io.BytesIO()
        pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:], **options)
        assert open_picture(stream.getvalue()).frames == 3
    motorola = b"MM\0*" + struct.pack(">I", 8) + _directory(">", 8, 0)
    assert open_picture(motorola).frames == 1


def test_a_tiff_of_very_many_pages_takes_no_time() -> None:
    data = b"".join(
        [b"II*\0", struct.pack("<I", 8)]
        + [_directory("<", 8 + number * _DIRECTORY, 8 + (number + 1) * _DIRECTORY) for number in range(40_000)]
    )
    begun = time.process_time()
    assert open_picture(data).frames == MOST_FRAMES
    assert time.process_time() - begun < 1


def test_a_tiff_whose_pages_end_nowhere_or_in_a_circle_has_those_that_it_has() -> None:
    circle = b"II*\0" + struct.pack("<I", 8) + _directory("<", 8, 8)
    assert open_picture(circle).frames == 1
    with pytest.raises(PictureError, match=r"is truncated|is damaged"):
        open_picture(b"II*\0" + struct.pack("<I", 8) + _directory("<", 8, 1 << 30))


def test_many_bits_are_scaled_the_same_in_a_picture_of_several_parts() -> None:
    levels = np.arange(1 << 16, dtype=np.uint16)
    wide = np.tile(levels, 40).reshape(-1, 1 << 12)
    shown = np.asarray(to_8_bits(Image.fromarray(wide)))
    assert np.array_equal(shown, wide >> 8)


_DIRECTORY = 2 + 9 * 12 + 4


def _directory(order: str, place: int, following: int) -> bytes:
    """A directory of a TIFF with one grey pixel, the byte at `place`."""
    entries = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, place), (277, 1), (278, 1), (279, 1)]
    packed = b"".join(
        struct.pack(
            f"{order}HHII" if tag == 273 else f"{order}HHIHH",
            tag,
            4 if tag == 273 else 3,
            1,
            *(value,),
            *([] if tag == 273 else [0]),
        )
        for tag, value in entries
    )
    return struct.pack(f"{order}H", len(entries)) + packed + struct.pack(f"{order}I", following)
