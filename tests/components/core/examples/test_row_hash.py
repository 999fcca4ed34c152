"""The hash rule of rows: which rows are equal, which are not, and that the rule never changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.examples import row_hash_v1
from components._core.examples.row_hash import hash_rows

GOLDEN = {
    "7": 13555895054679907666,
    "-7": 10145716657566571811,
    "7.5": 341959757144946084,
    "0.1": 9083125124824897906,
    "1000": 1945586575319406526,
    "9007199254740993": 15706251497897381717,
    "123456789012345678901": 2654634018531615462,
    "AA": 6258070199016527695,
    "고객": 16723879707924484667,
    " ": 16294208416658607535,
    "true": 2243480690420058536,
    "2013-01-31": 11508973279582222635,
    "1e300": 236020511146283454,
}


def hash_column(values: Sequence[Any], kind: pa.DataType | None = None, name: str = "a") -> list[int]:
    batch = pa.RecordBatch.from_arrays([pa.array(values, kind)], names=[name])
    return [int(value) for value in hash_rows(batch, [name])]


def hash_cell(value: Any, kind: pa.DataType | None = None) -> int:
    return hash_column([value], kind or (pa.string() if isinstance(value, str) else None))[0]


def test_the_hashes_never_change() -> None:
    """A failure here means that rows move between splits: give the change a rule of its own instead."""
    assert {text: hash_cell(text) for text in GOLDEN} == GOLDEN
    rows = pa.RecordBatch.from_pydict({"b": ["AA", ""], "a": ["7", "0.1"]})
    assert [int(value) for value in hash_rows(rows, ["a", "b"])] == [11411245993623320235, 9083125124824897906]


def test_the_hashes_of_rule_1_never_change() -> None:
    rows = pa.RecordBatch.from_pydict(
        {"a": pa.array([7, None]), "b": pa.array([0.1, -0.0], pa.float32()), "c": ["AA", None]}
    )
    assert [int(value) for value in row_hash_v1.hash_rows(rows, ["a", "b", "c"])] == [
        15432257502127373667,
        2552154664811100539,
    ]


@pytest.mark.parametrize(
    "equal",
    [
        ["7", "7.0", "7.", "+7", "007", " 7 ", "7\t", "7e0", "0.7e1", "7.000"],
        ["0", "-0", "0.0", "-0.0", "+0", ".0", "0e5"],
        ["0.1", ".1", "0.10", "1e-1", "+.1", "0.1000000001"],
        ["-2.5", "-2.50", " -02.5"],
        ["1000", "1e3", "1E3", "1e+3"],
        ["9007199254740993", "9007199254740993.0", "+9007199254740993", "09007199254740993"],
        ["100000000000000000000", "1e20", "100000000000000000000.00"],
        ["", " ", "NA", "nan", "NaN", "null", "None", "?", "#N/A"],
        ["AA", " AA", "AA "],
    ],
)
def test_what_is_equal_however_it_is_written(equal: list[str]) -> None:
    assert len(set(hash_column(equal))) == 1
    assert len({hash_cell(text) for text in equal}) == 1


@pytest.mark.parametrize(
    "different",
    [
        ["9007199254740993", "9007199254740992", "9007199254740994"],
        ["123456789012345678901", "123456789012345678902"],
        ["16777217", "16777216", "-16777217"],
        ["7", "-7", "7.5", "70", "7 0", "7,0", "0x7", "7a", "$7", "7%", ""],
        ["true", "True", "1", "yes", "0", "false"],
        ["AA", "aa", "A A", "AB"],
        ["2013-01-01", "2013-01-02", "2013"],
        ["inf", "-inf", "1e300", "1e301"],
    ],
)
def test_what_is_not_equal(different: list[str]) -> None:
    assert len(set(hash_column(different))) == len(different)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("7", 7, pa.int64()),
        ("7", 7, pa.int8()),
        ("7", 7.0, pa.float32()),
        ("-0", -0.0, pa.float64()),
        ("0.1", 0.1, pa.float32()),
        ("0.1", 0.1, pa.float64()),
        ("16777217.5", 16777217.5, pa.float64()),
        ("9007199254740993", 9007199254740993, pa.int64()),
        ("-9223372036854775808", -(2**63), pa.int64()),
        ("18446744073709551615", 2**64 - 1, pa.uint64()),
        ("1e20", 1e20, pa.float64()),
        ("", None, pa.int64()),
        ("", None, pa.null()),
        ("nan", float("nan"), pa.float64()),
        ("inf", float("inf"), pa.float64()),
        ("true", True, pa.bool_()),
        ("AA", "AA", pa.large_string()),
        ("2013-01-31", 15736, pa.date32()),
    ],
)
def test_a_typed_value_is_its_text(text: str, value: Any, kind: pa.DataType) -> None:
    assert hash_cell(value, kind) == hash_cell(text)


def test_decimals_are_their_numbers() -> None:
    from decimal import Decimal

    assert hash_cell(Decimal("7.50"), pa.decimal128(5, 2)) == hash_cell("7.5")


def test_neither_other_values_of_the_column_nor_the_batch_matter() -> None:
    texts = ["7", "7.0", "0.25", "9007199254740993", "", "x"]
    alone = [hash_cell(text) for text in texts]
    numbers = hash_column(texts[:4])  # no word among them: another path
    assert hash_column(texts) == alone and numbers == alone[:4]
    encoded = pa.RecordBatch.from_arrays([pa.array(texts * 3).dictionary_encode()], names=["a"])
    assert hash_rows(encoded, ["a"]).tolist() == alone * 3
    assert hash_rows(encoded.slice(7, 4), ["a"]).tolist() == (alone * 3)[7:11]


def test_columns_go_by_name_and_not_by_their_order() -> None:
    rows = pa.RecordBatch.from_pydict({"a": [1, 2], "b": [2, 1], "c": ["x", "y"]})
    turned = pa.RecordBatch.from_pydict({"c": ["x", "y"], "b": [2, 1], "a": [1, 2]})
    assert hash_rows(rows, ["a", "b", "c"]).tolist() == hash_rows(turned, ["c", "b", "a"]).tolist()
    first, second = hash_rows(rows, ["a", "b"])
    assert first != second  # the same values in each other's column


def test_a_new_column_without_a_value_moves_no_row() -> None:
    rows = pa.RecordBatch.from_pydict({"a": [1, 2], "new": pa.array([None, "x"])})
    before, after = hash_rows(rows, ["a"]), hash_rows(rows, ["a", "new"])
    assert before[0] == after[0] and before[1] != after[1]


def test_hashes_are_spread_evenly() -> None:
    rows = pa.RecordBatch.from_pydict({"a": list(range(50_000)), "b": [number % 7 for number in range(50_000)]})
    shares = np.bincount((hash_rows(rows, ["a", "b"]) >> np.uint64(60)).astype(np.int64), minlength=16) / 50_000
    assert np.allclose(shares, 1 / 16, atol=0.005)
