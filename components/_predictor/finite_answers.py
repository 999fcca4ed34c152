"""Refuses answers that are not finite: names the rows, and what is unusual in the first of them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from components._core.examples.reference_rows import Ranges
from components._predictor.refusals import Refusal

Arrays = dict[str, np.ndarray[Any, Any]]

_MOST_NAMED = 20
_log = logging.getLogger("naru.serve")


def check_finite(outputs: Arrays, inputs: Arrays, ranges: Ranges, request_id: str = "") -> None:
    """Refuse an answer that holds a number that is not finite.

    The message names features and never their values: a masked feature's values must not reach a client or the log.

    Args:
        outputs: The model's answer by output, a row per row of the request.
        inputs: The model's input, one vector per feature.
        ranges: Training range by the name of a numeric feature, where it is known.
        request_id: The request's id, for the server's log.

    Raises:
        Refusal: `model_failed`, with the row and those of its features that are missing or outside the training range.
    """
    for name, values in outputs.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            rows = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
            message = (
                f"the model's {name} is not a finite number in {_rows(rows)}; {_unusual(inputs, ranges, int(rows[0]))}"
            )
            _log.error("request %s: %s", shown_id(request_id), message)
            raise Refusal("model_failed", message)


def shown_id(request_id: str) -> str:
    """Return a request's id for a line of the log: a client chooses it, and must not write lines or escape sequences of its own."""
    if not request_id:
        return "without an id"
    return request_id if request_id.isprintable() else ascii(request_id)


def refuse_not_finite(outputs: Arrays, inputs: Arrays, ranges: Ranges) -> dict[int, Refusal]:
    """Return the refusal of each row whose answer holds a number that is not finite, by the row's index.

    Arguments and messages as in `check_finite`; nothing goes to the server's log.
    """
    refusals: dict[int, Refusal] = {}
    for name, values in outputs.items():
        if values.dtype.kind != "f" or np.isfinite(values).all():
            continue
        for row in map(int, np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))):
            alone = {feature: column[row : row + 1] for feature, column in inputs.items()}
            reason = _unusual(alone, ranges, 0).replace(" in row 0:", ":").replace(" of row 0 ", " ")
            message = f"the model's {name} is not a finite number; {reason}"
            refusals.setdefault(row, Refusal("model_failed", message))
    return refusals


def _rows(rows: np.ndarray[Any, Any]) -> str:
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    return f"row {rows[0]}{more}"


def _unusual(inputs: Arrays, ranges: Ranges, row: int) -> str:
    missing = [name for name, values in inputs.items() if _is_missing(values[row])]
    outside = [
        name
        for name in inputs
        if name in ranges and name not in missing and _is_outside(inputs[name][row], *ranges[name])
    ]
    parts = [f"missing in row {row}: {_named(missing)}"] if missing else []
    parts += [f"outside the training range in row {row}: {_named(outside)}"] if outside else []
    if parts:
        return "; ".join(parts)
    known = " or outside its training range" if ranges else ""
    return f"no feature of row {row} is missing{known}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(repr, names[:_MOST_NAMED])) + more


def _is_missing(value: Any) -> bool:
    return bool(value == "" or value != value)


def _is_outside(value: Any, least: float, most: float) -> bool:
    return not least <= float(value) <= most
