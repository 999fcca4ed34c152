"""Casts the values of rows (Python values, or vectors of numbers) to one typed vector per feature of the model.

A missing value is `None`; clients without a null send NaN for a number and the empty string for a text. It is accepted only
where the feature is nullable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from components._core.types.feature_types import FLOAT32, INT64, STRING, FeatureType
from components._core.types.signature import Feature
from components._core.types.texts import is_unicode
from components._predictor.refusals import Refusal

Columns = Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]
MAX_ROWS = 10_000
"""Rows of one request, unless a server is set otherwise: a few megabytes of JSON, and tens of milliseconds in the model."""
_SHOWN = 40
_COMPARED, _COMPARED_LENGTH = 256, 64
"""Bounds on the search for a similar name: known names compared, and length of the unknown one, which the client chooses."""
_NAMED = 50
_MOST_DOUBLE = int(np.finfo(np.float64).max)
_NUMBERS = (np.dtype(np.int64), np.dtype(np.float64))
"""Types of the number vectors that a request is read into."""


def cast_columns(columns: Columns, features: tuple[Feature, ...], max_rows: int) -> dict[str, np.ndarray[Any, Any]]:
    """Cast each feature to a NumPy vector [rows] of the feature's type.

    Args:
        columns: Values by feature name, one per row: Python values or a vector of numbers. Nullable features may be left out.
        features: Inputs of the model.
        max_rows: Most rows of one request.

    Raises:
        Refusal: With the feature, what was found and what is allowed.
    """
    _check_names(columns, features)
    rows = _count_rows(columns, max_rows)
    return {feature.name: _cast(columns.get(feature.name, [None] * rows), feature) for feature in features}


def refuse_rows(columns: Columns, features: tuple[Feature, ...]) -> dict[int, Refusal]:
    """Return the refusal of each row that `cast_columns` refuses as a request of its own, by the row's index.

    Arguments as in `cast_columns`; any number of rows.

    Raises:
        Refusal: When a feature is missing or unknown, or they have different lengths: then no row can be answered.
    """
    _check_names(columns, features)
    _count_rows(columns, max(map(len, columns.values()), default=0))
    refusals: dict[int, Refusal] = {}
    for feature in features:
        values = columns.get(feature.name, [])
        if _is_castable(values, feature):
            continue
        for row, value in enumerate(values.tolist() if isinstance(values, np.ndarray) else values):
            if row not in refusals and (refusal := _refuse_value(value, feature)):
                refusals[row] = refusal
    return refusals


def _is_castable(values: Sequence[Any] | np.ndarray[Any, Any], feature: Feature) -> bool:
    try:
        _cast(values, feature)
    except Refusal:
        return False
    return True


def _refuse_value(value: Any, feature: Feature) -> Refusal | None:
    try:
        _CASTS[feature.type]([value], feature)
    except Refusal as refusal:
        place = f"{feature.name!r}, row 0:"  # the only row here, and another one where the value is from
        return Refusal(refusal.code, refusal.message.replace(place, f"{feature.name!r}:", 1))
    return None


def _check_names(columns: Columns, features: tuple[Feature, ...]) -> None:
    known = [feature.name for feature in features]
    for name in columns:
        if name not in known:
            close = get_close_matches(name, known[:_COMPARED], n=1) if len(name) <= _COMPARED_LENGTH else []
            advice = f"did you mean {close[0]!r}?" if close else f"the model takes {_some(known)}"
            raise Refusal("unknown_feature", f"unknown feature {_shown(name)}; {advice}")
    for feature in features:
        if feature.name not in columns and not feature.nullable:
            raise Refusal("missing_feature", f"{feature.name!r} is missing; it is required, as {feature.dtype}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _count_rows(columns: Columns, max_rows: int) -> int:
    counts = {name: len(values) for name, values in columns.items()}
    if not counts:
        raise Refusal("missing_feature", "the request holds no feature")
    (first, rows), *others = counts.items()
    for name, count in others:
        if count != rows:
            raise Refusal("wrong_shape", f"{name!r} has {count} values and {first!r} has {rows}; send one per row")
    if rows == 0:
        raise Refusal("wrong_shape", f"{first!r} has no values; send at least one row")
    if rows > max_rows:
        raise Refusal("too_many_rows", f"{rows} rows in one request; at most {max_rows} are allowed")
    return rows


def _cast(values: Sequence[Any] | np.ndarray[Any, Any], feature: Feature) -> np.ndarray[Any, Any]:
    wanted = feature.type
    if not isinstance(values, np.ndarray):
        return _CASTS[wanted](values, feature)
    if values.dtype == wanted.numpy:
        return values
    if wanted.is_real and values.dtype in _NUMBERS:
        with np.errstate(over="ignore"):
            single = values.astype(wanted.numpy)
        if np.isfinite(single).all() or (feature.nullable and not np.isinf(single).any()):
            return single
    return _CASTS[wanted](values.tolist(), feature)  # this one reports what is wrong


def _to_float32(values: Sequence[Any], feature: Feature) -> np.ndarray[Any, Any]:
    _check_types(values, feature, (float, int), "a number")
    try:
        real = np.array(values, dtype=np.float64)  # None becomes NaN
    except OverflowError:  # a whole number of more than 308 digits
        row = next(row for row, value in enumerate(values) if type(value) is int and abs(value) > _MOST_DOUBLE)
        raise _not_finite(feature, row, values[row]) from None
    if not feature.nullable and (bad := np.flatnonzero(np.isnan(real))).size:
        raise _missing(feature, int(bad[0]))
    with np.errstate(over="ignore"):
        single = real.astype(np.float32)
    if (bad := np.flatnonzero(np.isinf(single))).size:
        raise _not_finite(feature, int(bad[0]), values[int(bad[0])])
    return single


def _to_int64(values: Sequence[Any], feature: Feature) -> np.ndarray[Any, Any]:
    if type(None) in _check_types(values, feature, (int,), "a whole number"):
        raise _missing(feature, list(values).index(None))
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        row = next(row for row, value in enumerate(values) if not -(2**63) <= value < 2**63)
        raise Refusal("not_finite", f"{feature.name!r}, row {row}: {_shown(values[row])} is not an int64") from None


def _to_string(values: Sequence[Any], feature: Feature) -> np.ndarray[Any, Any]:
    texts = values
    if _check_types(values, feature, (str, bytes), "a text") != {str}:
        try:
            texts = [_text(value) for value in values]
        except UnicodeDecodeError:
            raise Refusal("wrong_type", f"{feature.name!r}: a text is not UTF-8") from None
    if not feature.nullable and "" in texts:
        raise _missing(feature, list(texts).index(""))
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        row = next(row for row, text in enumerate(texts) if not is_unicode(text))
        message = f"{feature.name!r}, row {row}: the text holds half of a surrogate pair, which is no character"
        raise Refusal("wrong_type", message) from None
    return np.array(texts, dtype=object)


def _text(value: str | bytes | None) -> str:
    return "" if value is None else value.decode("utf-8") if isinstance(value, bytes) else value


_CASTS: dict[FeatureType, Callable[[Sequence[Any], Feature], np.ndarray[Any, Any]]] = {
    FLOAT32: _to_float32,
    INT64: _to_int64,
    STRING: _to_string,
}


def _check_types(values: Sequence[Any], feature: Feature, allowed: tuple[type, ...], wanted: str) -> set[type]:
    """Return the types found.

    Raises:
        Refusal: When a value has another type than the allowed ones and None.
    """
    found = list(map(type, values))
    if found.count(allowed[0]) == len(found):  # nearly always; a set takes half as long again
        return {allowed[0]}
    types = set(found)
    if types <= {*allowed, type(None)}:  # exact types: True is not a number here
        return types
    row, value = next((row, value) for row, value in enumerate(values) if type(value) not in (*allowed, type(None)))
    raise Refusal("wrong_type", f"{feature.name!r}, row {row}: {_shown(value)} is not {wanted} ({feature.dtype})")


def _not_finite(feature: Feature, row: int, value: Any) -> Refusal:
    return Refusal("not_finite", f"{feature.name!r}, row {row}: {_shown(value)} is not a finite float32")


def _missing(feature: Feature, row: int) -> Refusal:
    return Refusal(
        "missing_feature", f"{feature.name!r}, row {row}: the value is missing; this feature is not nullable"
    )


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except RecursionError:
        text = "a deeply nested list"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
