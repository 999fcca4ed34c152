"""Rows that a project leaves out: each counts once, for the first rule that it meets, and nothing vanishes uncounted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import ConfigError, DataError
from components._core.project.check_config import RowRules
from components._core.types.column_types import type_of_arrow
from components._data.formats.rows import Rows
from components._data.rules import row_rules
from components._data.rules.row_rules import RowFilter

TABLE = {
    "id": pa.array([1, 2, 2, None, None, 1]),
    "fare": pa.array([3.5, -1.0, None, 900.0, 900.0, 3.5]),
    "code": pa.array(["AB", "ab", None, "ABC", "ABC", "AB"]),
}


def apply(rules: Mapping[str, Any], rows: int = 2) -> tuple[list[int], RowFilter]:
    """Return the numbers of the rows that are kept, of batches of some rows."""
    batch = pa.RecordBatch.from_arrays(list(TABLE.values()), names=list(TABLE))
    types = {name: type_of_arrow(column.type, name).name for name, column in TABLE.items()}
    made = RowFilter(RowRules.model_validate(rules), types)
    kept = []
    for start in range(0, batch.num_rows, rows):
        part = batch.slice(start, rows)
        found = made.apply(Rows(part, part, lambda start=start, n=part.num_rows: np.arange(start, start + n)))  # type: ignore[misc]
        assert found.cells.num_rows == found.examples.num_rows == len(found.lines())
        kept += found.lines().tolist()
    return kept, made


CASES: dict[str, tuple[dict[str, Any], list[int], dict[str, int]]] = {
    "below": ({"drop": [{"column": "fare", "below": 0}]}, [0, 2, 3, 4, 5], {"fare below 0": 1}),
    "above": ({"drop": [{"column": "fare", "above": 3.5}]}, [0, 1, 2, 5], {"fare above 3.5": 2}),
    "missing": ({"drop": [{"column": "id", "missing": True}]}, [0, 1, 2, 5], {"id missing": 2}),
    "in": ({"drop": [{"column": "code", "in": ["AB", "ab"]}]}, [2, 3, 4], {"code in 'AB', 'ab'": 3}),
    "pattern": ({"drop": [{"column": "code", "pattern": "[a-z]+"}]}, [0, 2, 3, 4, 5], {"code matches '[a-z]+'": 1}),
    "none": ({"drop": [{"column": "fare", "below": -5}]}, [0, 1, 2, 3, 4, 5], {"fare below -5": 0}),
    "equal rows": ({"dedupe": True}, [0, 1, 2, 3], {"equal rows": 2}),
    "equal keys, where rows without one are kept": ({"dedupe": ["id"]}, [0, 1, 3, 4], {"equal id": 2}),
    "no rules": ({}, [0, 1, 2, 3, 4, 5], {}),
    "two rules that one row meets": (
        {"drop": [{"column": "fare", "above": 3}, {"column": "id", "missing": True}], "dedupe": ["id"]},
        [1],
        {"fare above 3": 4, "id missing": 0, "equal id": 1},
    ),
}


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("case", CASES)
def test_rows_are_left_out_and_counted_by_rule(case: str, rows: int) -> None:
    rules, kept, dropped = CASES[case]
    found, made = apply(rules, rows)
    assert (found, made.dropped) == (kept, dropped)
    assert len(found) + made.total == 6


def test_a_row_that_a_rule_leaves_out_is_not_the_first_of_equal_ones() -> None:
    kept, made = apply({"drop": [{"column": "code", "in": ["ab"]}], "dedupe": ["id"]})
    assert 2 in kept and made.dropped["equal id"] == 1


def test_two_rules_whose_shortened_names_are_equal_both_apply() -> None:
    kept, made = apply({"drop": [{"column": "id", "in": [*range(11, 19), last]} for last in (1, 2)]})
    assert kept == [3, 4] and [*made.dropped.values()] == [2, 2]
    assert [*made.dropped][1] == f"{next(iter(made.dropped))} (rule 2)"


def test_what_was_left_out_is_described_with_its_counts() -> None:
    made = apply({"drop": [{"column": "fare", "below": 0}], "dedupe": True})[1]
    assert made.describe() == "3 rows left out by data.rows (fare below 0: 1, equal rows: 2)"
    assert apply({})[1].describe() == ""


def test_more_different_rows_than_can_be_compared_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_rules, "MOST_KEYS", 3)
    with pytest.raises(DataError, match="more than 3 different rows"):
        apply({"dedupe": True})


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"drop": [{"column": "fair", "below": 0}]}, "data.rows.drop: there is no column 'fair'; did you mean 'fare'"),
        ({"dedupe": ["ids"]}, "data.rows.dedupe: there is no column 'ids'; did you mean 'id'"),
        ({"drop": [{"column": "code", "below": 0}]}, "data.rows.drop.0.below: found 0, and the column has texts"),
    ],
)
def test_a_rule_that_the_table_cannot_have_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        apply(rules)
    assert message in str(refused.value)
