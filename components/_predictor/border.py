"""What is done to the values of a request before the model, a version under test and the request log see them.

A picture comes as base64 of either alphabet, or as the bytes of its file, and leaves as the URL-safe base64 text of what ingest would have
stored of it: the same function brings it to one of the two formats that the model decodes, so training and serving cannot differ. It is
bounded before it is decoded. In a text, personal data is masked as ingest masked it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from components._core.types.signature import Feature
from components._predictor.feature_values import Columns
from components._predictor.refusals import Refusal

_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
"""First bytes of the formats of pictures; the base64 text of none of them begins so."""
_STANDARD = bytes.maketrans(b"-_", b"+/")
_BLANKS = re.compile(rb"[\r\n\t ]+")
_MIB = 1 << 20
HEAVY_BYTES = 128 << 10
"""Bytes of pictures in a request from which it is answered in a thread: decoding them would hold up the event loop."""


class Prepared(dict[str, Any]):
    """Columns that are prepared: they are not prepared again."""


class Border:
    """Prepares the columns of requests to one model.

    Args:
        features: The model's inputs.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._steps: dict[str, Callable[[Sequence[Any]], list[Any]]] = {}
        self.pictures: tuple[Feature, ...] = tuple(feature for feature in features if feature.is_picture)
        for feature in features:
            if feature.is_picture:
                self._steps[feature.name] = partial(_to_picture_texts, feature)
            elif feature.mask:
                self._steps[feature.name] = partial(_mask_texts, feature)

    def prepare(self, columns: Columns) -> Columns:
        """Return the columns as the model and the log take them; the same object where there is nothing to do.

        Args:
            columns: Values by feature name, one per row.

        Raises:
            Refusal: `bad_picture` or `picture_too_large`, with the feature and the row.
        """
        if not self._steps or isinstance(columns, Prepared):
            return columns
        steps = self._steps
        return Prepared({name: steps[name](values) if name in steps else values for name, values in columns.items()})

    def prepare_rows(self, columns: Columns) -> tuple[Columns, dict[int, Refusal]]:
        """Prepare each row by itself: the prepared columns, in which a refused value is missing, and the refusals by row."""
        if not self._steps or isinstance(columns, Prepared):
            return columns, {}
        refusals: dict[int, Refusal] = {}
        prepared: dict[str, Any] = dict(columns)
        for name, step in self._steps.items():
            if name in columns:
                prepared[name] = [_prepare_value(step, value, row, refusals) for row, value in enumerate(columns[name])]
        return Prepared(prepared), refusals

    def find_damage(self, inputs: Columns) -> Refusal | None:
        """Return why the picture of a single prepared row cannot be decoded; None: it can, or there is none."""
        try:
            self.check_pictures(inputs)
        except Refusal as refusal:
            return _without_row(refusal)
        return None

    def is_heavy(self, columns: Columns) -> bool:
        """Return whether the pictures of a request are large or many."""
        total = 0
        for feature in self.pictures:
            for value in columns.get(feature.name, ()):
                total += len(value) if isinstance(value, str | bytes) else 0
                if total > HEAVY_BYTES:
                    return True
        return False

    def check_pictures(self, columns: Columns) -> None:
        """Decode all pictures of prepared columns in full, after the model failed on them, to say which one is damaged.

        Raises:
            Refusal: `bad_picture`.
        """
        for feature in self.pictures:
            for row, text in enumerate(columns.get(feature.name, ())):
                if isinstance(text, str) and text:
                    _canonical(base64.urlsafe_b64decode(text), feature, row, whole=True)


def _prepare_value(
    step: Callable[[Sequence[Any]], list[Any]], value: Any, row: int, refusals: dict[int, Refusal]
) -> Any:
    try:
        return step([value])[0]
    except Refusal as refusal:
        refusals.setdefault(row, _without_row(refusal))
        return None


def _without_row(refusal: Refusal) -> Refusal:
    """Return a refusal of a row by itself: its place in the call says nothing."""
    return Refusal(refusal.code, refusal.message.replace(", row 0:", ":", 1))


def _to_picture_texts(feature: Feature, values: Sequence[Any] | np.ndarray[Any, Any]) -> list[Any]:
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return [_to_picture_text(value, feature, row) for row, value in enumerate(listed)]


def _to_picture_text(value: Any, feature: Feature, row: int) -> Any:
    """Return the text of one picture; what is missing, or of a wrong type, stays for the check of types."""
    if not isinstance(value, str | bytes) or not value:
        return value
    data = value if isinstance(value, bytes) and value.startswith(_STARTS) else _from_base64(value, feature, row)
    if len(data) > feature.max_bytes:
        raise _too_large(feature, row, f"the file has {len(data):,} bytes; at most {feature.max_bytes:,} are allowed")
    return base64.urlsafe_b64encode(_canonical(data, feature, row)).decode()


def _from_base64(value: str | bytes, feature: Feature, row: int) -> bytes:
    try:
        text = value.encode("ascii") if isinstance(value, str) else value
        if b"\n" in text or b" " in text:  # as lines of MIME
            text = _BLANKS.sub(b"", text)
        plain = text.translate(_STANDARD).rstrip(b"=")
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        message = f"{feature.name!r}, row {row}: neither base64 nor the bytes of a picture file"
        raise Refusal("bad_picture", message) from None


def _too_large(feature: Feature, row: int, reason: str) -> Refusal:
    return Refusal("picture_too_large", f"{feature.name!r}, row {row}: {reason}")


def _mask_texts(feature: Feature, values: Sequence[Any] | np.ndarray[Any, Any]) -> list[Any]:
    from components._core.texts.personal_data import mask

    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return [
        mask(_to_text(value), feature.mask) if isinstance(value, str | bytes) and value else value for value in listed
    ]


def _to_text(value: str | bytes) -> str:
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise Refusal("wrong_type", "a text is not UTF-8") from None


def _canonical(data: bytes, feature: Feature, row: int) -> bytes:
    from components._core.pictures.canonical import to_canonical
    from components._core.pictures.decode import Limits, PictureError

    try:
        return to_canonical(data, Limits(feature.max_pixels, feature.max_bytes))
    except PictureError as error:
        raise Refusal("bad_picture", f"{feature.name!r}, row {row}: the picture {error}") from None
