"""What is done to the values of a request before the model, a version under test and the request log see them.

A picture comes as base64 of either alphabet, or as the bytes of its file, and leaves as the URL-safe base64 text of what ingest would have
stored of it: the same function brings it to one of the two formats that the model decodes, so training and serving cannot differ. It is
bounded before it is decoded. In a text, personal data is masked as ingest masked it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from components._core.types.signature import Feature
from components._predictor.feature_values import Columns
from components._predictor.refusals import Code, Refusal

_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
"""First bytes of the formats of pictures; the base64 text of none of them begins so."""
_STANDARD = bytes.maketrans(b"-_", b"+/")
_BLANKS = re.compile(rb"[\r\n\t ]+")
HEAVY_BYTES = 128 << 10
"""Bytes of pictures in a request from which it is answered in a thread: decoding them would hold up the event loop."""
_Step = Callable[[Any, int], tuple[Any, bytes | None]]
"""Takes a value and its row; returns it prepared, and the file of a picture that had to be converted."""


class Prepared(dict[str, Any]):
    """Columns that are prepared: they are not prepared again.

    Attributes:
        sources: The files of pictures as they were sent, by feature and row, where they had to be converted.
    """

    def __init__(self, columns: Mapping[str, Any], sources: Mapping[str, Mapping[int, bytes]] | None = None) -> None:
        super().__init__(columns)
        self.sources = sources or {}


class Border:
    """Prepares the columns of requests to one model.

    Args:
        features: The model's inputs.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._steps: dict[str, _Step] = {}
        self.pictures: tuple[Feature, ...] = tuple(feature for feature in features if feature.is_picture)
        for feature in features:
            if feature.is_picture:
                self._steps[feature.name] = partial(_to_picture_text, feature)
            elif feature.mask:
                self._steps[feature.name] = partial(_mask_text, feature)

    def prepare(self, columns: Columns) -> Columns:
        """Return the columns as the model and the log take them; the same object where there is nothing to do.

        Args:
            columns: Values by feature name, one per row.

        Raises:
            Refusal: `bad_picture` or `picture_too_large`, with the feature and the row.
        """
        if not self._steps or isinstance(columns, Prepared):
            return columns
        prepared, sources = dict(columns), {}
        for name, step in self._steps.items():
            if name in columns:
                found = [step(value, row) for row, value in enumerate(_listed(columns[name]))]
                prepared[name] = [value for value, _ in found]
                sources[name] = {row: source for row, (_, source) in enumerate(found) if source is not None}
        return Prepared(prepared, sources)

    def prepare_rows(self, columns: Columns) -> tuple[Columns, dict[int, Refusal]]:
        """Prepare each row by itself: the prepared columns, in which a refused value is missing, and the refusals by row."""
        if not self._steps or isinstance(columns, Prepared):
            return columns, {}
        refusals: dict[int, Refusal] = {}
        prepared = dict(columns)
        for name, step in self._steps.items():
            if name in columns:
                values = _listed(columns[name])
                prepared[name] = [_prepare_value(step, value, row, refusals) for row, value in enumerate(values)]
        return Prepared(prepared), refusals

    def is_heavy(self, columns: Columns) -> bool:
        """Return whether the pictures of a request are large or many."""
        total = 0
        for feature in self.pictures:
            for value in columns.get(feature.name, ()):
                total += len(value) if isinstance(value, str | bytes) else 0
                if total > HEAVY_BYTES:
                    return True
        return False


def _listed(values: Sequence[Any] | np.ndarray[Any, Any]) -> Sequence[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else values


def _prepare_value(step: _Step, value: Any, row: int, refusals: dict[int, Refusal]) -> Any:
    try:
        return step(value, 0)[0]
    except Refusal as refusal:
        # the place in the call says nothing of a row by itself
        refusals.setdefault(row, Refusal(refusal.code, refusal.message.replace(", row 0:", ":", 1)))
        return None


def _to_picture_text(feature: Feature, value: Any, row: int) -> tuple[Any, bytes | None]:
    """Return the text of one picture, and its file where it had to be converted; what is missing, or of a wrong type, stays for the check of types."""
    if not isinstance(value, str | bytes) or not value:
        return value, None
    data = value if isinstance(value, bytes) and value.startswith(_STARTS) else _from_base64(value, feature, row)
    canonical = _canonical(data, feature, row)
    return base64.urlsafe_b64encode(canonical).decode(), None if canonical is data else data


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


def _mask_text(feature: Feature, value: Any, row: int) -> tuple[Any, None]:
    from components._core.texts.personal_data import mask

    try:
        text = value.decode("utf-8") if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise Refusal("wrong_type", f"{feature.name!r}, row {row}: the text is not UTF-8") from None
    return (mask(text, feature.mask) if isinstance(text, str) and text else text), None


def _canonical(data: bytes, feature: Feature, row: int) -> bytes:
    from components._core.pictures.canonical import to_canonical
    from components._core.pictures.decode import Limits, PictureError, PictureTooLargeError

    try:
        return to_canonical(data, Limits(feature.max_pixels, feature.max_bytes))
    except PictureError as error:
        code: Code = "picture_too_large" if isinstance(error, PictureTooLargeError) else "bad_picture"
        raise Refusal(code, f"{feature.name!r}, row {row}: the picture {error}") from None
