"""Reads labels that a client posts, and checks them by the limits of a request and the rules of the task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from components._core.request_log.posted_labels import PostedLabel
from components._core.suggestions import listed
from components._core.types.json_values import LineError, NotJsonError, parse_value
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._predictor.refusals import Refusal
from components.serve.limits import MIB, Limits
from components.serve.oip_bounds import is_longer

_BODY_BYTES = 4 * MIB
"""Largest body: 10,000 labels with long ids are 2 MB."""
_ROOM = 1_000
_FORM = '{"labels": [{"id": ..., "row": 0, "label": ...}, ...]}, or one of these objects'
_SHOWN = 40


class LabelRules:
    """What a posted label may be.

    Args:
        signature: The model's: its task and classes.
        limits: Limits of one request.

    Attributes:
        body_bytes: Most bytes of a body, as sent and unpacked.
    """

    def __init__(self, signature: Signature, limits: Limits) -> None:
        self.body_bytes = min(_BODY_BYTES, limits.body_bytes)
        self._limits = limits
        self._task, self._classes = TASKS[signature.task], signature.classes
        self._are_whole = bool(signature.classes) and all(text.lstrip("-").isdigit() for text in signature.classes)

    def parse(self, body: bytes) -> Any:
        """Parse a body that has no more values than the allowed labels have.

        Raises:
            Refusal: `too_many_rows` or `wrong_shape`.
        """
        most = self._limits.rows
        if body.count(b"[") + body.count(b"{") > most + _ROOM or body.count(b",") > 4 * most + _ROOM:
            raise self._too_many(f"more than {most}")
        try:
            return parse_value(body)
        except NotJsonError:
            raise Refusal("wrong_shape", f"the body is not JSON in UTF-8; allowed: {_FORM}") from None
        except LineError as error:
            raise Refusal("wrong_shape", f"in the body {error}; allowed: {_FORM}") from None

    def read(self, body: bytes) -> list[PostedLabel]:
        """Read the body of `POST /v2/models/NAME/feedback`.

        Raises:
            Refusal: With the place of the label and what is allowed; no label of the body is taken then.
        """
        raw = self.parse(body)
        if isinstance(raw, dict) and raw.keys() == {"labels"}:
            raw = raw["labels"]
        elif isinstance(raw, dict):
            raw = [raw]
        else:
            raise Refusal("wrong_shape", f"the body is no object with labels; allowed: {_FORM}")
        if not isinstance(raw, list) or not raw:
            raise Refusal("wrong_shape", f"labels must be a list with at least one label; allowed: {_FORM}")
        if len(raw) > self._limits.rows:
            raise self._too_many(str(len(raw)))
        return [self._read_one(each, f"label {place}: " if len(raw) > 1 else "") for place, each in enumerate(raw)]

    def read_truth(self, message: Any) -> list[PostedLabel]:
        """Read a `Feedback` message of Seldon's protocol, in the form of its JSON: `truth` has a label for each row of the request.

        Its id is the `puid` of the response, else of the request. The first label is of row 0, or of `truth.meta.tags.row`.

        Raises:
            Refusal: As `read`.
        """
        if not isinstance(message, dict):
            raise Refusal("wrong_shape", "the body is no object; allowed: response.meta.puid and truth")
        truth = message.get("truth")
        if not isinstance(truth, dict):
            raise Refusal(
                "wrong_shape",
                'truth is missing: a label for each row, as in {"data": {"ndarray": [1]}}; a reward is no label',
            )
        found = {puid for name in ("response", "request") if (puid := _puid(message.get(name))) is not None}
        if len(found) > 1:
            raise Refusal("wrong_shape", "response.meta.puid and request.meta.puid are different")
        labels = _truth(truth)
        if len(labels) > self._limits.rows:
            raise self._too_many(str(len(labels)))
        tags = (truth.get("meta") or {}).get("tags") if isinstance(truth.get("meta") or {}, dict) else None
        first = tags.get("row", 0) if isinstance(tags, dict) else 0
        first = int(first) if isinstance(first, float) and first.is_integer() else first
        self._check_row(first, "truth.meta.tags.row: ")
        answer = self._id(next(iter(found), None), "response.meta.puid: ")
        rows = [
            PostedLabel(answer, first + place, self.label(each, f"truth, row {place}: "))
            for place, each in enumerate(labels)
        ]
        self._check_row(rows[-1].row, "truth: ")
        return rows

    def _read_one(self, raw: Any, where: str) -> PostedLabel:
        if not isinstance(raw, dict):
            raise Refusal("wrong_shape", f"{where}not an object; allowed: {_FORM}")
        if unknown := sorted(raw.keys() - {"id", "row", "label"}):
            raise Refusal("wrong_shape", f"{where}unknown key {unknown[0][:_SHOWN]!r}; allowed: id, row, label")
        if missing := [name for name in ("id", "label") if name not in raw]:
            raise Refusal(
                "wrong_shape", f"{where}{missing[0]} is missing; a label of null says that there will never be one"
            )
        row = raw.get("row", 0)
        self._check_row(row, where)
        return PostedLabel(self._id(raw["id"], where), row, self.label(raw["label"], where))

    def _id(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value or not _is_encodable(value):
            raise Refusal(
                "wrong_type", f"{where}the id must be the text that came with the answer, found {_shown(value)}"
            )
        if is_longer(value, self._limits.id_bytes):
            message = (
                f"{where}the id {value[:_SHOWN]!r}... is too long; at most {self._limits.id_bytes} bytes are allowed"
            )
            raise Refusal("over_limit", message)
        return value

    def _check_row(self, row: Any, where: str) -> None:
        if type(row) is not int or not 0 <= row < self._limits.rows:
            message = f"{where}the row must be a whole number from 0 to {self._limits.rows - 1}, found {_shown(row)}"
            raise Refusal("wrong_type", message)

    def label(self, value: Any, where: str) -> str | int | float | None:
        """Return a label as it is kept: the text of a class, or a number; None for null.

        Raises:
            Refusal: `wrong_type`, `not_finite` or `over_limit`.
        """
        if value is None:
            return None
        return self._class(value, where) if self._task.has_classes else _number(value, where)

    def _class(self, value: Any, where: str) -> str:
        """Return the text of a class. One that the model does not have may be new, except where there are only two."""
        text = self._class_text(value)
        if text is None or not text.strip() or not _is_encodable(text):
            raise Refusal("wrong_type", f"{where}the label must be a class, found {_shown(value)}; {self._allowed()}")
        if is_longer(text, self._limits.name_bytes):
            message = f"{where}the label {text[:_SHOWN]!r}... is too long; at most {self._limits.name_bytes} bytes are allowed"
            raise Refusal("over_limit", message)
        is_whole = text.removeprefix("-").isdecimal() and text.isascii()
        if (self._task.takes_positive and text not in self._classes) or (self._are_whole and not is_whole):
            raise Refusal(
                "wrong_type", f"{where}the label {_shown(value)} is no class of this model; {self._allowed()}"
            )
        return text

    def _class_text(self, value: Any) -> str | None:
        if isinstance(value, bool):
            text = str(value).lower()
            return text if text in self._classes else str(int(value))
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return str(value) if isinstance(value, str | int | float) else None

    def _allowed(self) -> str:
        return f"allowed: {listed(list(self._classes))}, or null"

    def _too_many(self, found: str) -> Refusal:
        return Refusal("too_many_rows", f"{found} labels in one request; at most {self._limits.rows} are allowed")


def _number(value: Any, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal("wrong_type", f"{where}the label must be a number or null, found {_shown(value)}")
    try:
        is_finite = math.isfinite(value)
    except OverflowError:
        is_finite = False
    if not is_finite:
        raise Refusal("not_finite", f"{where}the label is infinite, not a number, or too large")
    return value


def _puid(message: Any) -> Any:
    meta = message.get("meta") if isinstance(message, dict) else None
    puid = meta.get("puid") if isinstance(meta, dict) else None
    return puid or None if isinstance(puid, str) else None


def _truth(truth: Mapping[str, Any]) -> list[Any]:
    """Return the labels of a `truth`, in the forms of a `SeldonMessage`."""
    data = truth.get("data")
    values: Any
    if "jsonData" in truth:
        values = truth["jsonData"]
    elif "strData" in truth:
        values = truth["strData"]
    elif isinstance(data, dict) and "ndarray" in data:
        values = data["ndarray"]
    elif isinstance(data, dict) and isinstance(data.get("tensor"), dict) and "values" in data["tensor"]:
        values = data["tensor"]["values"]
    else:
        raise Refusal("wrong_shape", "truth has neither jsonData, strData nor data with ndarray or tensor")
    labels = values if isinstance(values, list) else [values]
    labels = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in labels]
    if not labels or any(isinstance(each, list | dict) for each in labels):
        raise Refusal("wrong_shape", "truth must be a list with one label for each row")
    return labels


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
