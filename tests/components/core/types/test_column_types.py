"""Columns of examples keep their values; their plain form is lossless."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._core.examples.row_hash import hash_rows
from components._core.types.column_types import COLUMN_TYPES, ColumnType, to_plain, to_text, type_of_arrow
from components._core.types.feature_types import FEATURE_TYPES, STRING
from components._core.types.label_values import as_text, targets
from components._core.types.oip_requests import find_missing, to_request
from components._core.types.signature import Feature, to_arrays
from components._predictor.feature_values import cast_columns

MORNING = dt.datetime(2026, 1, 31, 9, 30)
ROWS = pa.table(
    {
        "weekend": pa.array([True, False, True]),
        "member": pa.array([True, None, False]),
        "order": pa.array([2**60 + 1, 7, -3], pa.int64()),
        "age": pa.array([41, None, 16_777_217], pa.int64()),
        "price": pa.array([0.1, None, 1e9 + 0.5], pa.float64()),
        "city": pa.array(["Oslo", "", None]),
        "seen": pa.array([MORNING, None, MORNING.replace(microsecond=250_000)], pa.timestamp("us")),
        "key": pa.array([b"\xff\x00?", None, b""], pa.binary()),
    }
)
FEATURES = (
    Feature("weekend", "int64", False),
    Feature("member", "float32", True),
    Feature("order", "int64", False),
    Feature("age", "float32", True),
    Feature("price", "float32", True),
    Feature("city", "string", True),
    Feature("seen", "string", True),
    Feature("key", "string", True),
)


@pytest.mark.parametrize(
    ("arrow", "name"),
    [
        (pa.bool_(), "bool"),
        (pa.int8(), "int64"),
        (pa.uint32(), "int64"),
        (pa.float32(), "float32"),
        (pa.float64(), "float64"),
        (pa.string(), "string"),
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.null(), "string"),
        (pa.timestamp("ns", tz="UTC"), "timestamp"),
        (pa.date32(), "timestamp"),
        (pa.binary(), "bytes"),
        (pa.binary(4), "bytes"),
    ],
)
def test_an_arrow_type_is_read_as_one_type(arrow: pa.DataType, name: str) -> None:
    assert type_of_arrow(arrow, "delay") is COLUMN_TYPES[name]


def test_an_arrow_type_that_no_type_reads_is_refused_with_the_column_and_what_is_allowed() -> None:
    with pytest.raises(DataError, match=r"column tags: has the Arrow type list<.*>; allowed: bool, int64, float32"):
        to_plain(pa.array([["a"]]), "tags")


@pytest.mark.parametrize("known", COLUMN_TYPES.values(), ids=COLUMN_TYPES)
def test_the_plain_form_of_a_plain_column_is_itself(known: ColumnType) -> None:
    empty = to_plain(pa.nulls(2, known.arrow), "n")
    assert empty.type == known.plain
    assert empty.null_count == 2
    assert to_plain(empty, "n") is empty


def test_a_model_takes_exact_columns_narrowed_to_its_three_types() -> None:
    arrays = to_arrays(ROWS, FEATURES)
    np.testing.assert_array_equal(arrays["weekend"], np.array([1, 0, 1]))
    np.testing.assert_array_equal(arrays["member"], np.array([1, np.nan, 0], np.float32))
    np.testing.assert_array_equal(arrays["order"], np.array([2**60 + 1, 7, -3]))
    np.testing.assert_array_equal(arrays["age"], np.array([41, np.nan, 16_777_216], np.float32))
    np.testing.assert_array_equal(arrays["price"], np.array([0.1, np.nan, 1e9], np.float32))
    assert arrays["city"].tolist() == ["Oslo", "", ""]
    assert arrays["seen"].tolist() == ["2026-01-31 09:30:00", "", "2026-01-31 09:30:00.25"]
    assert [base64.urlsafe_b64decode(text) for text in arrays["key"]] == [b"\xff\x00?", b"", b""]
    assert {name: values.dtype for name, values in arrays.items()} == {item.name: item.type.numpy for item in FEATURES}


def test_a_request_of_rows_brings_the_model_what_it_took_offline() -> None:
    request = to_request(ROWS, FEATURES)
    columns = {item["name"]: item["data"] for item in request["inputs"]}
    for name, values in cast_columns(columns, FEATURES, max_rows=3).items():
        np.testing.assert_array_equal(values, to_arrays(ROWS, FEATURES)[name])


def test_missing_is_what_is_missing_to_the_model() -> None:
    missing = {name: find_missing(ROWS[name]).tolist() for name in ("member", "price", "city", "seen", "key")}
    nothing, last = [False, True, False], [False, True, True]
    assert missing == {"member": nothing, "price": nothing, "city": last, "seen": nothing, "key": last}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_time_is_the_same_text_in_every_unit(unit: str) -> None:
    column = pa.array([MORNING, dt.datetime(1969, 12, 31, 23, 59, 50)]).cast(pa.timestamp(unit))
    assert to_text(column).to_pylist() == ["2026-01-31 09:30:00", "1969-12-31 23:59:50"]


def test_a_time_with_a_time_zone_is_shown_in_utc() -> None:
    berlin = pa.array([MORNING], pa.timestamp("us", tz="Europe/Berlin"))
    assert to_text(berlin).to_pylist() == ["2026-01-31 09:30:00Z"]


def test_a_date_has_no_clock() -> None:
    assert to_text(pa.array([MORNING.date()])).to_pylist() == ["2026-01-31"]
    assert to_text(pa.array([MORNING.date()], pa.date64())).to_pylist() == ["2026-01-31"]


def _hashes(values: list[Any], kind: pa.DataType | None) -> list[int]:
    return list(hash_rows(pa.RecordBatch.from_arrays([pa.array(values, kind)], names=["c"]), ["c"]))


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([True, False, None], pa.bool_(), ["true", "false", ""]),
        ([MORNING, None], pa.timestamp("us"), ["2026-01-31 09:30:00", ""]),
        ([b"\xff", b"a", None], pa.binary(), ["_w==", "YQ==", ""]),
        ([2**53 + 1, None], pa.int64(), ["9007199254740993", ""]),
    ],
)
def test_a_row_is_split_by_an_exact_value_as_by_its_text(
    values: list[Any], kind: pa.DataType, texts: list[str]
) -> None:
    assert _hashes(values, kind) == _hashes(texts, None)


def test_a_label_of_truth_values_has_the_classes_false_and_true() -> None:
    assert as_text(pa.array([True, False])).to_pylist() == ["true", "false"]


def test_a_target_beyond_double_precision_is_rounded_and_no_error() -> None:
    assert targets(pa.array([2**53 + 1])).tolist() == [2.0**53]


def test_a_whole_number_beyond_64_bits_is_an_error_of_the_data() -> None:
    with pytest.raises(DataError, match="column n: has a value that does not fit int64"):
        to_plain(pa.array([2**64 - 1], pa.uint64()), "n")


def test_a_line_in_the_table_is_enough_for_a_new_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def clock(column: Any) -> Any:
        return column.cast(pa.string())

    monkeypatch.setitem(
        COLUMN_TYPES, "clock", ColumnType("clock", pa.time32("s"), pa.types.is_time32, STRING, pa.string(), clock)
    )
    column = pa.array([dt.time(9, 30)], pa.time32("s"))
    assert type_of_arrow(column.type, "at").name == "clock"
    assert to_arrays(pa.table({"at": column}), (Feature("at", "string", True),))["at"].tolist() == ["09:30:00"]


def test_an_earlier_model_takes_truth_values_as_the_texts_that_they_were() -> None:
    feature = Feature("member", "string", True)
    assert to_arrays(ROWS, (feature,))["member"].tolist() == ["true", "", "false"]
    assert to_request(ROWS, (feature,))["inputs"][0]["data"] == ["true", None, "false"]


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("bool", ["int64", "float32", "string"]),
        ("int64", ["int64", "float32"]),
        ("float64", ["int64", "float32"]),
        ("timestamp", ["string"]),
        ("bytes", ["string"]),
    ],
)
def test_a_model_takes_numbers_as_numbers_texts_as_texts_and_truth_values_as_both(
    name: str, fitting: list[str]
) -> None:
    assert [kind for kind, feature in FEATURE_TYPES.items() if COLUMN_TYPES[name].fits(feature)] == fitting
