"""What a client may send, and what is refused by name."""

from typing import Any

import numpy as np
import pytest

from components._core.types.signature import Feature
from components._predictor.feature_values import cast_columns
from components._predictor.refusals import STATUS, Refusal

FEATURES = (
    Feature("delay", "float32", True),
    Feature("month", "int64", False),
    Feature("carrier", "string", True),
    Feature("noise", "float32", False),
    Feature("origin", "string", False),
)
ROW: dict[str, list[Any]] = {"delay": [1.5], "month": [7], "carrier": ["AA"], "noise": [0], "origin": ["EWR"]}


def cast(**changed: list[Any]) -> dict[str, np.ndarray]:
    return cast_columns({**ROW, **changed}, FEATURES, max_rows=3)


def refusal(**changed: list[Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        cast(**changed)
    return caught.value


def test_values_become_vectors_of_the_features_types() -> None:
    arrays = cast()
    assert {name: array.dtype for name, array in arrays.items()} == {
        "delay": np.float32,
        "month": np.int64,
        "carrier": object,
        "noise": np.float32,
        "origin": object,
    }
    assert [array.tolist() for array in arrays.values()] == [[1.5], [7], ["AA"], [0.0], ["EWR"]]


def test_null_is_a_missing_value_where_the_feature_allows_it() -> None:
    arrays = cast(delay=[None], carrier=[None])
    assert np.isnan(arrays["delay"][0]) and arrays["carrier"][0] == ""


def test_a_nullable_feature_may_be_left_out() -> None:
    arrays = cast_columns({name: ROW[name] for name in ("month", "noise", "origin")}, FEATURES, max_rows=3)
    assert np.isnan(arrays["delay"][0]) and arrays["carrier"].tolist() == [""]


def test_bytes_are_read_as_utf8() -> None:
    assert cast(carrier=["Zürich".encode()])["carrier"][0] == "Zürich"


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"dep_month": [1]}, "unknown_feature", "did you mean 'month'?"),
        ({"zzz": [1]}, "unknown_feature", "the model takes delay, month"),
        ({"noise": [None]}, "missing_feature", "'noise', row 0"),
        ({"noise": [float("nan")]}, "missing_feature", "'noise', row 0"),
        ({"month": [None]}, "missing_feature", "'month', row 0"),
        ({"origin": [""]}, "missing_feature", "'origin', row 0"),
        ({"month": ["7"]}, "wrong_type", "'month', row 0: '7' is not a whole number"),
        ({"month": [7.5]}, "wrong_type", "'month'"),
        ({"month": [True]}, "wrong_type", "'month'"),
        ({"delay": ["1.5"]}, "wrong_type", "'delay'"),
        ({"delay": [[1.5]]}, "wrong_type", "'delay'"),
        ({"carrier": [7]}, "wrong_type", "'carrier'"),
        ({"carrier": [b"\xff"]}, "wrong_type", "not UTF-8"),
        ({"month": [7, 8]}, "wrong_shape", "'month' has 2 values"),
        ({"delay": [float("inf")]}, "not_finite", "'delay', row 0"),
        ({"delay": [1e300]}, "not_finite", "'delay', row 0"),
        ({"month": [2**63]}, "not_finite", "'month', row 0"),
        (
            {"noise": [10**400]},
            "not_finite",
            "'noise', row 0: 1000000000000000000000000000000000000... is not a finite float32",
        ),
        ({"delay": [-(10**4_000)]}, "not_finite", "'delay', row 0"),
        ({"carrier": ["\ud800"]}, "wrong_type", "'carrier', row 0: the text holds half of a surrogate pair"),
        ({"carrier": ["UA\udc00"]}, "wrong_type", "'carrier', row 0"),
    ],
)
def test_what_the_model_cannot_take_is_refused_by_name(changed: dict[str, list[Any]], code: str, message: str) -> None:
    refused = refusal(**changed)
    assert refused.code == code and message in str(refused)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("month", np.array([7.0]), "'month', row 0: 7.0 is not a whole number"),
        ("noise", np.array([1e300]), "'noise', row 0: 1e+300 is not a finite float32"),
        ("noise", np.array([np.nan]), "'noise', row 0"),
        ("carrier", np.array([7]), "'carrier', row 0: 7 is not a text"),
    ],
)
def test_vectors_of_numbers_are_refused_in_the_same_words(name: str, values: np.ndarray, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        cast(**{name: values})
    assert message in str(caught.value)


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_vectors_of_numbers_become_what_lists_become(dtype: type) -> None:
    values = np.array([3], dtype)
    found, expected = cast(noise=values), cast(noise=values.tolist())
    assert found["noise"].dtype == np.float32 and found["noise"].tolist() == expected["noise"].tolist()
    assert cast(month=np.array([7]))["month"].tolist() == [7]


def test_a_required_feature_that_is_left_out_is_named() -> None:
    with pytest.raises(Refusal, match="'month' is missing"):
        cast_columns({"delay": [1.0]}, FEATURES, max_rows=3)


def test_the_wrong_row_is_named() -> None:
    columns = {name: values * 3 for name, values in ROW.items()} | {"noise": [0.0, 1.0, "x"]}
    with pytest.raises(Refusal, match="'noise', row 2"):
        cast_columns(columns, FEATURES, max_rows=3)


def test_more_rows_than_allowed_are_refused_with_413() -> None:
    with pytest.raises(Refusal, match="at most 3 are allowed") as caught:
        cast_columns({name: values * 4 for name, values in ROW.items()}, FEATURES, max_rows=3)
    assert caught.value.status == 413


def test_no_feature_and_no_rows_are_refused() -> None:
    with pytest.raises(Refusal, match="holds no feature"):
        cast_columns({}, (Feature("delay", "float32", True),), max_rows=3)
    with pytest.raises(Refusal, match="at least one row"):
        cast_columns({"delay": []}, (Feature("delay", "float32", True),), max_rows=3)


def test_a_long_value_is_shortened() -> None:
    assert len(str(refusal(month=["x" * 5_000]))) < 200


def test_only_a_failing_model_is_the_servers_fault() -> None:
    assert [code for code, status in STATUS.items() if status >= 500] == ["model_failed"]
