"""What the request log has of a picture in place of its bytes: a hash by which it is found elsewhere, and its measures.

A line has, beside the masked picture itself, `"pictures": {NAME: [{"sha256": ..., "size": ...}]}`, and among its inputs the measures by
the names of the columns that ingest measures (`photo.brightness`): a monitor compares them with the training rows as it does with a
feature. Measuring decodes a picture once more, so at most a share of a processor is spent on it; the measures of the pictures that are not
measured are masked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components._core.types.measured_columns import MONITORED_MEASURES, measured_column

_SHARE = 0.05
"""Share of one processor that measuring may take."""


@dataclass
class LoggedPictures:
    """Parts of a line.

    Attributes:
        references: By feature, a description per row; None where there is no picture.
        measures: By measured column, a value per row.
        masked: Measured columns that are not known in this request.
    """

    references: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    measures: dict[str, list[Any]] = field(default_factory=dict)
    masked: list[str] = field(default_factory=list)


class PictureDescriber:
    """Describes pictures for lines of the log; safe to use from several threads, as a lost update only measures one picture more."""

    def __init__(self) -> None:
        self._next = 0.0

    def describe(self, names: Sequence[str], inputs: Mapping[str, Any]) -> LoggedPictures:
        """Describe the pictures of a request.

        Args:
            names: The features that are pictures and are not logged themselves.
            inputs: Values by feature, prepared: base64 texts. Where it has an attribute `sources`, that has the bytes as they were sent, by
                feature and row, of the pictures that had to be converted.
        """
        found = LoggedPictures()
        sources: Mapping[str, Mapping[int, bytes]] = getattr(inputs, "sources", {})
        for name in names:
            if name in inputs:
                data = [_to_bytes(text) for text in inputs[name]]
                converted = sources.get(name, {})
                data = [converted.get(row, each) for row, each in enumerate(data)]
                found.references[name] = [None if each is None else _refer_to(each) for each in data]
                self._measure(name, data, found)
        return found

    def _measure(self, name: str, data: list[bytes | None], found: LoggedPictures) -> None:
        columns = {measure: measured_column(name, measure) for measure in MONITORED_MEASURES}
        rows = self._measure_all(data) if time.monotonic() >= self._next else None
        if rows is None:
            found.masked += columns.values()
            return
        for measure, column in columns.items():
            found.measures[column] = [None if row is None else row[measure] for row in rows]

    def _measure_all(self, data: list[bytes | None]) -> list[dict[str, Any] | None] | None:
        """Return the measures of each picture; None when one cannot be measured."""
        from components._core.pictures.decode import Limits, PictureError, open_picture
        from components._core.pictures.measures import measure

        began = time.monotonic()
        limits = Limits(max_bytes=1 << 62)  # the server has bounded them
        try:
            return [None if each is None else vars(measure(each, open_picture(each, limits))) for each in data]
        except PictureError:
            return None
        finally:
            ended = time.monotonic()
            self._next = ended + (ended - began) / _SHARE


def _to_bytes(text: Any) -> bytes | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        return base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return None


def _refer_to(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
