"""Pictures and texts of requests: brought to the form that ingest stores, bounded before they are decoded, masked."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components._core.pictures.canonical import to_canonical
from components._core.types.contents import PICTURE, TEXT
from components._core.types.signature import Feature
from components._predictor.border import Border
from components._predictor.refusals import Refusal

FEATURE = Feature("photo", "string", True, PICTURE)
BORDER = Border((FEATURE, Feature("age", "int64", False)))


def encode(kind: str, mode: str = "RGB", size: tuple[int, int] = (9, 7), **options: Any) -> bytes:
    pixels = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(written, kind, **options)
    return written.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def prepare(value: Any, border: Border = BORDER) -> Any:
    return border.prepare({"photo": [value], "age": [1]})["photo"][0]


def refusal_of(value: Any, border: Border = BORDER) -> Refusal:
    with pytest.raises(Refusal) as caught:
        prepare(value, border)
    return caught.value


FORMS = {
    "standard base64": lambda data: base64.b64encode(data).decode(),
    "URL-safe base64": lambda data: base64.urlsafe_b64encode(data).decode(),
    "without padding": lambda data: base64.b64encode(data).decode().rstrip("="),
    "lines of MIME": lambda data: base64.encodebytes(data).decode(),
    "base64 as bytes": base64.b64encode,
    "the file's bytes": bytes,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_every_form_of_a_picture_becomes_the_text_of_what_ingest_stores(form: str, kind: str) -> None:
    data = encode(kind)
    expected = base64.urlsafe_b64encode(to_canonical(data)).decode()
    assert prepare(FORMS[form](data)) == expected


def test_a_usual_picture_is_passed_on_byte_for_byte() -> None:
    data = encode("JPEG", quality=80)
    assert base64.urlsafe_b64decode(prepare(data)) == data


def test_a_turned_photograph_is_turned_as_in_training() -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    shown = Image.open(io.BytesIO(base64.urlsafe_b64decode(prepare(encode("JPEG", exif=exif)))))
    assert (shown.size, shown.format) == ((7, 9), "PNG")


@pytest.mark.parametrize(
    ("value", "code", "status", "message"),
    [
        (
            png_header(50_000, 50_000),
            "picture_too_large",
            413,
            "2,500,000,000 pixels; at most 50,000,000 are allowed",
        ),
        (encode("JPEG", size=(64, 64))[:-200], "bad_picture", 400, "truncated"),
        (b"\x89PNG\r\n\x1a\nnothing", "bad_picture", 400, "the picture is "),
        (
            base64.b64encode(b"%PDF-1.7 not a picture").decode(),
            "bad_picture",
            400,
            "not a picture of an allowed format",
        ),
        ("hello, world!", "bad_picture", 400, "neither base64 nor the bytes of a picture file"),
        ("그림", "bad_picture", 400, "neither base64 nor the bytes of a picture file"),
        (b"\x00\xff\xfe", "bad_picture", 400, "neither base64 nor the bytes of a picture file"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_feature_the_row_and_the_reason(
    value: Any, code: str, status: int, message: str
) -> None:
    refusal = refusal_of(value)
    assert (refusal.code, refusal.status) == (code, status)
    assert refusal.message.startswith("'photo', row 0: ") and message in refusal.message


def test_the_bounds_are_those_of_the_signature() -> None:
    data = encode("PNG")
    for bounds in ({"max_pixels": 62}, {"max_bytes": len(data) - 1}):
        assert refusal_of(data, Border((replace(FEATURE, **bounds),))).status == 413
    assert prepare(data, Border((replace(FEATURE, max_pixels=63, max_bytes=len(data)),)))


def test_missing_pictures_and_wrong_types_are_left_to_the_check_of_types() -> None:
    assert BORDER.prepare({"photo": [None, "", 5]})["photo"] == [None, "", 5]


def test_what_is_prepared_is_not_prepared_again() -> None:
    once = BORDER.prepare({"photo": [encode("PNG")]})
    assert BORDER.prepare(once) is once
    other = {"age": [1]}
    assert Border((Feature("age", "int64", False),)).prepare(other) is other


def test_rows_are_refused_one_by_one() -> None:
    prepared, refusals = BORDER.prepare_rows({"photo": [encode("PNG"), "hello, world!", None]})
    assert prepared["photo"][1:] == [None, None] and prepared["photo"][0]
    assert {row: refusal.message for row, refusal in refusals.items()} == {
        1: "'photo': neither base64 nor the bytes of a picture file"
    }


def test_personal_data_is_masked_in_texts_that_say_so_and_in_no_others() -> None:
    masked = Feature("review", "string", True, TEXT, ("mail", "phone"))
    border = Border((masked, Feature("note", "string", True)))
    text = "Write to kim@example.com or 010-1234-5678"
    found = border.prepare({"review": [text, None, text.encode()], "note": [text]})
    assert found["review"][0] == found["review"][2] != text and found["review"][1] is None
    assert "kim@example.com" not in found["review"][0] and "1234" not in found["review"][0]
    assert found["note"] == [text]


def test_large_pictures_are_heavy() -> None:
    small = encode("PNG")
    assert not BORDER.is_heavy({"photo": [small]})
    assert BORDER.is_heavy({"photo": [hashlib.sha256(small).digest() * 10_000]})
