"""What a project expects of its table: each expectation counts exactly the rows that break it, and names the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from components._core.checks import Check
from components._core.errors import ConfigError
from components._core.project.check_config import Checks
from components._core.types.column_types import type_of_arrow
from components._data.rules import table_checks
from components._data.rules.table_checks import TableChecks

TIMES = pa.array([0, 86_400, None, 172_800], pa.timestamp("s", "UTC"))
TABLE = {
    "fare": pa.array([3.5, -1.0, None, 900.0]),
    "seats": pa.array([1, 2, 2, None]),
    "code": pa.array(["AB", "ab", None, "ABC"]),
    "ok": pa.array([True, False, None, True]),
    "said": pa.array(["True", "FALSE", None, "true"]),
    "short": pa.array([0.1, 0.2, None, 0.4], pa.float32()),
    "large": pa.array([2**60 + 1, 5, None, -(2**60) - 1]),
    "day": TIMES.cast(pa.timestamp("s")).cast(pa.date32()),
    "at": TIMES,
    "raw": pa.array([b"a", b"b", None, b"a"]),
}


def check(checks: Mapping[str, Any], rows: int = 2, table: Mapping[str, pa.Array] = TABLE) -> list[Check]:
    """Check a table in batches of some rows."""
    batch = pa.RecordBatch.from_arrays(list(table.values()), names=list(table))
    types = {name: type_of_arrow(column.type, name).name for name, column in table.items()}
    bound = TableChecks(Checks.model_validate(checks), types)
    for start in range(0, batch.num_rows, rows):
        bound.add(batch.slice(start, rows), lambda row, start=start: f"line {start + row + 2}")  # type: ignore[misc]
    return bound.to_checks()


def of_column(name: str, **expected: Any) -> Check:
    (found,) = check({"columns": {name: expected}})
    return found


BROKEN = {
    "number below": ("fare", {"min": 0}, ["-1.0 (line 3)"]),
    "number above": ("fare", {"max": 100}, ["900.0 (line 5)"]),
    "whole number with a real limit": ("seats", {"min": 1.5}, ["1 (line 2)"]),
    "text above, letter by letter": ("code", {"max": "AC"}, ["'ab' (line 3)"]),
    "time above": ("at", {"max": "1970-01-02"}, ["'1970-01-03 00:00:00Z' (line 5)"]),
    "time below, with a time of day": ("at", {"min": "1970-01-01T00:00:01Z"}, ["'1970-01-01 00:00:00Z' (line 2)"]),
    "date below": ("day", {"min": "1970-01-02"}, ["'1970-01-01' (line 2)"]),
    "missing number": ("fare", {"missing": 0}, ["line 4"]),
    "missing bytes": ("raw", {"missing": 0}, ["line 4"]),
    "pattern of the whole text": ("code", {"pattern": "[A-Z]{2}"}, ["'ab' (line 3)", "'ABC' (line 5)"]),
    "pattern with alternatives": ("code", {"pattern": "A|AB|ABC"}, ["'ab' (line 3)"]),
    "other text": ("code", {"in": ["AB", "ABC"]}, ["'ab' (line 3)"]),
    "other number": ("seats", {"in": [2, 3.5]}, ["1 (line 2)"]),
    "other truth value": ("ok", {"in": [True]}, ["'false' (line 3)"]),
    "other date": ("day", {"in": ["1970-01-01", "1970-01-03"]}, ["'1970-01-02' (line 3)"]),
    "other time": ("at", {"in": ["1970-01-01", "1970-01-03T02:00+02:00"]}, ["'1970-01-02 00:00:00Z' (line 3)"]),
    "other text of a truth value": ("said", {"in": [True]}, ["'FALSE' (line 3)"]),
    "other number of 32 bits": ("short", {"in": [0.1, 0.4]}, ["0.20000000298023224 (line 3)"]),
    "large whole number below a real limit": ("large", {"min": 0.5}, [f"{-(2**60) - 1} (line 5)"]),
    "large whole number above a real limit": ("large", {"max": 5.5}, [f"{2**60 + 1} (line 2)"]),
    "time above a year": (
        "at",
        {"max": "1970"},
        ["'1970-01-02 00:00:00Z' (line 3)", "'1970-01-03 00:00:00Z' (line 5)"],
    ),
    "repeated number": ("seats", {"unique": True}, ["2 (line 4)"]),
    "repeated bytes": ("raw", {"unique": True}, ["'YQ==' (line 5)"]),
}


@pytest.mark.parametrize("rows", [1, 3, 100])
@pytest.mark.parametrize("case", BROKEN)
def test_rows_that_break_an_expectation_are_counted_and_named(case: str, rows: int) -> None:
    name, expected, first = BROKEN[case]
    (found,) = check({"columns": {name: expected}}, rows)
    assert (found.status, found.measured, found.n) == ("fail", len(first) / 4, 4)
    assert found.reason.endswith(": " + ", ".join(first)) and f" in {len(first)} of 4 rows (" in found.reason
    assert name in found.reason


HOLDS = [
    ("fare", {"min": -1, "max": 900, "missing": "25%"}),
    ("fare", {"min": 0, "allow": 0.25}),
    ("fare", {"in": [3.5, -1, 900, 1e20]}),
    ("short", {"min": 0.1, "max": 0.4}),
    ("large", {"in": [2**60 + 1, 5, -(2**60) - 1, 1e20, 0.5]}),
    ("large", {"min": -1e20, "max": 1e20}),
    ("day", {"max": "1970-01-02T23:00-01:00"}),
    ("said", {"in": [True, False]}),
    ("code", {"pattern": "(?i)abc?"}),
    ("code", {"unique": True}),
    ("at", {"min": "1970-01-01", "max": "1970-01-03"}),
    ("ok", {"in": ["true", False]}),
]


@pytest.mark.parametrize(("name", "expected"), HOLDS)
def test_an_expectation_holds_up_to_its_limit_and_its_share(name: str, expected: dict[str, Any]) -> None:
    assert {found.status for found in check({"columns": {name: expected}})} == {"pass"}


def test_large_whole_numbers_do_not_equal_their_neighbours() -> None:
    table = {"n": pa.array([2**53, 2**53 + 1])}
    (found,) = check({"columns": {"n": {"in": [2**53 + 1, 0.5]}}}, table=table)
    assert found.reason.endswith(f": {2**53} (line 2)")
    (found,) = check({"columns": {"n": {"min": 2**53 + 1}}}, table=table)
    assert found.reason.endswith(f": {2**53} (line 2)")


def test_a_warning_does_not_fail_and_failures_come_first() -> None:
    found = check({"columns": {"fare": {"min": 0, "severity": "warn"}, "seats": {"max": 1}, "code": {"missing": 1}}})
    assert [each.status for each in found] == ["fail", "warn", "pass"]


def test_only_the_first_rows_are_named() -> None:
    found = of_column("ok", **{"in": [True], "severity": "warn"})
    assert "..." not in found.reason
    (many,) = check({"columns": {"n": {"max": -1}}}, table={"n": pa.array(range(5_000))})
    assert (
        many.reason
        == "n is above -1 in 5,000 of 5,000 rows (100%; allowed 0%): 0 (line 2), 1 (line 3), 2 (line 4), ..."
    )
    (long,) = check({"columns": {"t": {"in": ["a"]}}}, table={"t": pa.array(["x" * 10_000])})
    assert len(long.reason) < 150


def test_keys_of_several_columns_and_the_order_of_two_are_checked() -> None:
    table = {"a": pa.array([1, 1, 1, None]), "b": pa.array([1, 2, 1, 1]), "c": pa.array([2.5, 0.5, None, 1.0])}
    unique, order = check({"unique": ["a", "b"], "order": ["b <= c"]}, table=table)
    assert unique.reason.startswith(
        "a, b repeat those of an earlier row in 1 of 4 rows (25%; allowed 0%): 1, 1 (line 4)"
    )
    assert order.reason.endswith("1 of 4 rows (25%; allowed 0%): 2, 0.5 (line 3)")
    assert check({"unique": ["a", "c"]}, table=table)[0].status == "pass"


def test_large_whole_numbers_are_compared_with_a_column_of_real_ones() -> None:
    table = {"id": pa.array([2**60 + 1, 3, None]), "x": pa.array([2.5, 3.5, 1.0])}
    (found,) = check({"order": "id <= x"}, table=table)
    assert found.reason.endswith(f": {2**60 + 1}, 2.5 (line 2)")


def test_times_of_different_units_and_zones_are_compared_as_instants() -> None:
    table = {"a": pa.array([0, 5], pa.date32()), "b": pa.array([-1, 5 * 86_400_000], pa.timestamp("ms", "UTC"))}
    (found,) = check({"order": "a <= b"}, table=table)
    assert found.measured == 0.5 and "(line 2)" in found.reason


@pytest.mark.parametrize(
    ("expected", "status"), [({"min": 4, "max": 4}, "pass"), ({"min": 5}, "fail"), ({"max": 3}, "fail")]
)
def test_the_number_of_rows_is_checked(expected: dict[str, int], status: str) -> None:
    assert {found.status for found in check({"rows": expected})} == {status}


def test_a_table_without_rows_breaks_only_what_is_expected_of_their_number() -> None:
    table = {"x": pa.array([], pa.int64())}
    found = check({"rows": {"min": 1}, "columns": {"x": {"missing": 0, "unique": True}}}, table=table)
    assert [each.status for each in found] == ["fail", "pass", "pass"]


def test_a_limit_on_the_keys_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_checks, "MOST_KEYS", 2)
    (found,) = check({"columns": {"n": {"unique": True}}}, table={"n": pa.array([1, 2, 3, 3, 1])})
    assert found.reason.endswith("; the first 2 different values were compared") and found.status == "fail"


REFUSED = [
    ({"columns": {"fair": {"min": 0}}}, "there is no column 'fair'; did you mean 'fare'"),
    ({"unique": ["code", "dey"]}, "there is no column 'dey'; did you mean 'day'"),
    ({"order": "fare < seat"}, "there is no column 'seat'; did you mean 'seats'"),
    ({"columns": {"fare": {"min": "a"}}}, "columns.fare.min: found 'a', and the column has numbers"),
    ({"columns": {"code": {"max": 3}}}, "columns.code.max: found 3, and the column has texts"),
    ({"columns": {"ok": {"max": 3}}}, "found 3, and the column has truth values"),
    ({"columns": {"raw": {"min": "a"}}}, "found 'a', and the column has bytes"),
    ({"columns": {"at": {"min": "soon"}}}, "found 'soon', and the column has times"),
    ({"columns": {"at": {"max": "NaT"}}}, "found 'NaT', and the column has times"),
    ({"columns": {"at": {"max": "today"}}}, "found 'today', and the column has times"),
    ({"columns": {"day": {"min": "20240131"}}}, "found '20240131', and the column has times"),
    ({"columns": {"day": {"min": "2024-0530"}}}, "found '2024-0530', and the column has times"),
    ({"columns": {"day": {"min": "2024-13-01"}}}, "found '2024-13-01', and the column has times"),
    ({"columns": {"day": {"in": ["2024-01-31", "soon"]}}}, "found 'soon', and the column has times"),
    ({"columns": {"fare": {"in": ["a"]}}}, "found 'a', and the column has numbers"),
    ({"columns": {"fare": {"in": [True]}}}, "found True, and the column has numbers"),
    ({"columns": {"ok": {"in": ["yes"]}}}, "found 'yes', and the column has truth values"),
    ({"columns": {"fare": {"pattern": "1"}}}, "is for texts, and the column has numbers"),
    ({"columns": {"code": {"pattern": "(?!A)"}}}, r"which RE2 does not read"),
    ({"order": "fare < code"}, "compares a column of numbers with one of texts"),
    ({"order": "ok < ok"}, "compares a column of truth values"),
]


@pytest.mark.parametrize(("checks", "message"), REFUSED)
def test_an_expectation_that_the_table_cannot_have_is_refused(checks: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(checks)
    assert message in str(refused.value)
