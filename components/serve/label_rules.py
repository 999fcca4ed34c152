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
from components._core.types.texts import is_unicode, is_visible, without_joiners
from components._predictor.refusals import Refusal
from components.serve.limits import MIB, Limits
from components.serve.oip_bounds import is_longer
from components.serve.request_body import BYTE_ORDER_MARK

_BODY_BYTES = 4 * MIB
"""Largest body: 10,000 labels with long ids are 2 MB."""
_ROOM = 1_000
_FORM = '{"labels": [{"id": ..., "row": 0, "label": ...}, ...]}, or one of these objects'
_TRUTH_FORM = '{"response": {"meta": {"puid": ...}}, "truth": {"data": {"ndarray": [...]}}}'
_MOST_WHOLE = 2**63 - 1
_DATA_FORMS = ("ndarray", "tensor", "tftensor")
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
        self._are_texts = bool(signature.classes) and not any(map(_is_number, signature.classes))
        self._by_looks = {_looks(text): text for text in signature.classes}

    def parse(self, body: bytes, form: str = _FORM) -> Any:
        """Parse a body that has no more values than the allowed labels have.

        Args:
            body: The body.
            form: What it should be, for messages.

        Raises:
            Refusal: `too_many_rows` or `wrong_shape`.
        """
        most = self._limits.rows
        if body.count(b"[") + body.count(b"{") > most + _ROOM or body.count(b",") > 4 * most + _ROOM:
            raise self._too_many(f"more than {most}")
        try:
            return parse_value(body.removeprefix(BYTE_ORDER_MARK))
        except NotJsonError:
            raise Refusal("wrong_shape", f"the body is not JSON in UTF-8; allowed: {form}") from None
        except LineError as error:
            raise Refusal("wrong_shape", f"in the body {error}; allowed: {form}") from None

    def parse_truth(self, body: bytes) -> Any:
        """Parse the body of a `Feedback` message of Seldon's protocol, for `read_truth`; errors as in `parse`."""
        return self.parse(body, _TRUTH_FORM)

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
            raise Refusal("wrong_shape", f"the body is no object; allowed: {_TRUTH_FORM}")
        truth = message.get("truth")
        if not isinstance(truth, dict):
            raise Refusal(
                "wrong_shape",
                'truth is missing: a label for each row, as in {"data": {"ndarray": [1]}}; a reward is no label',
            )
        found = [puid for name in ("response", "request") if (puid := _puid(message.get(name))) is not None]
        if len(found) > 1 and found[0] != found[1]:
            raise Refusal("wrong_shape", "response.meta.puid and request.meta.puid are different")
        labels = _truth(truth)
        if len(labels) > self._limits.rows:
            raise self._too_many(str(len(labels)))
        first = _object(_object(truth, "meta", "truth.meta"), "tags", "truth.meta.tags").get("row", 0)
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
        if not isinstance(value, str) or not value or not is_unicode(value):
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
        # half of a surrogate pair, a control character and a space without a width are not visible
        if text is None or not text.strip() or not (text in self._classes or is_visible(text)):
            raise Refusal("wrong_type", f"{where}the label must be a class, found {_shown(value)}; {self._allowed()}")
        if is_longer(text, self._limits.name_bytes):
            message = f"{where}the label {text[:_SHOWN]!r}... is too long; at most {self._limits.name_bytes} bytes are allowed"
            raise Refusal("over_limit", message)
        is_whole = text.removeprefix("-").isdecimal() and text.isascii()
        if (self._task.takes_positive and text not in self._classes) or (self._are_whole and not is_whole):
            raise Refusal(
                "wrong_type", f"{where}the label {_shown(value)} is no class of this model; {self._allowed()}"
            )
        known = self._by_looks.get(_looks(text), text)
        if known != text and text not in self._classes:
            what = "case or blanks" if text == without_joiners(text) and known == without_joiners(known) else "joiners"
            message = (
                f"{where}the label {_shown(value)} differs from the class {known!r} in {what} only; send {known!r}"
            )
            raise Refusal("wrong_type", message)
        return text

    def _class_text(self, value: Any) -> str | None:
        """Return the text of a value, or None when the model does not have it as a class.

        Of classes that are words, a number is most likely a place in a list of them.
        """
        if isinstance(value, bool):
            text = str(value).lower()
            value = text if text in self._classes else int(value)
        if isinstance(value, int | float) and self._are_texts:
            return None
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return str(value) if isinstance(value, str | int | float) else None

    def _allowed(self) -> str:
        return f"allowed: {listed(list(self._classes))}, or null"

    def _too_many(self, found: str) -> Refusal:
        return Refusal("too_many_rows", f"{found} labels in one request; at most {self._limits.rows} are allowed")


def _looks(text: str) -> str:
    """Return what a text looks like, whatever its case, its blanks and its joiners."""
    return " ".join(without_joiners(text).casefold().split())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(value: Any, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal("wrong_type", f"{where}the label must be a number or null, found {_shown(value)}")
    try:
        is_finite = math.isfinite(value)
    except OverflowError:
        is_finite = False
    if not is_finite:
        raise Refusal("not_finite", f"{where}the label is infinite, not a number, or too large")
    return value if abs(value) <= _MOST_WHOLE else float(value)  # readers of the labels have no larger whole numbers


def _puid(message: Any) -> Any:
    """Return the id as it was sent, of whatever type, or None."""
    meta = message.get("meta") if isinstance(message, dict) else None
    puid = meta.get("puid") if isinstance(meta, dict) else None
    return None if puid == "" else puid


def _object(holder: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    found = holder.get(name)
    if found is not None and not isinstance(found, dict):
        raise Refusal("wrong_shape", f"{where} must be an object, found {_shown(found)}")
    return found or {}


def _truth(truth: Mapping[str, Any]) -> list[Any]:
    """Return the labels of a `truth`, in one of the forms of a `SeldonMessage`."""
    data = _object(truth, "data", "truth.data")
    forms = {f"data.{name}": data[name] for name in _DATA_FORMS if data.get(name) is not None}
    # a null is a label here: there will never be one
    forms |= {name: truth[name] for name in ("jsonData", "strData", "binData") if name in truth}
    if len(forms) > 1:
        raise Refusal("wrong_shape", f"truth has {' and '.join(forms)}; send one of them")
    form, values = next(iter(forms.items()), ("", None))
    if form == "data.tensor":
        values = _tensor_values(values)
    elif form not in ("data.ndarray", "jsonData", "strData"):
        raise Refusal("wrong_shape", "truth has neither jsonData, strData nor data with ndarray or tensor")
    labels = values if isinstance(values, list) else [values]
    labels = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in labels]
    if not labels or any(isinstance(each, list | dict) for each in labels):
        raise Refusal("wrong_shape", "truth must be a list with one label for each row")
    return labels


def _tensor_values(tensor: Any) -> Any:
    values = tensor.get("values") if isinstance(tensor, dict) else None
    if not isinstance(values, list):
        raise Refusal("wrong_shape", 'truth.data.tensor must be {"shape": [rows], "values": [...]}')
    if tensor.get("shape", [len(values)]) not in ([len(values)], [len(values), 1]):
        message = f"truth.data.tensor has shape {_shown(tensor['shape'])} and {len(values)} values; send one label for each row"
        raise Refusal("wrong_shape", message)
    return values


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
