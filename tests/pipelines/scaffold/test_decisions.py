"""What becomes of each column."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from components._core.types.tasks import TASKS
from pipelines.scaffold.decisions import Decision, collect_notes, decide_columns, decide_fitting, quarantine_limit
from pipelines.scaffold.label_choice import Target
from pipelines.scaffold.table_profile import Column, Profile
from tests.pipelines.scaffold.conftest import column

LABEL = column("late", "int64", distinct=2)


def _profile(*columns: Column, **known: Any) -> Profile:
    return Profile(
        {one.name: one for one in (*columns, LABEL)},
        known.get("rows", 1_000),
        known.get("unlabelled", 0),
        0,
        "",
        pa.table({}),
    )


def _decide(one: Column, score: float = 0.0) -> Decision:
    return decide_columns(_profile(one), "late", {one.name: score})[0]


@pytest.mark.parametrize(
    ("one", "role"),
    [
        (column("dest", distinct=60), "category"),
        (column("city", distinct=400, rows=9_000), "hashed"),
        (column("review", distinct=900, words=12.0, length=70.0), "text"),
        (column("model name", distinct=700, words=2.4), "text"),
        (column("day", distinct=90, values=("2020-01-31", "2020-02-01")), "date"),
        (column("speed", "float32", distinct=990), "number"),
        (column("floor", "int64", distinct=12, minimum=0.0, maximum=11.0), "number"),
        (column("airline_id", "int64", distinct=16, minimum=1.0, maximum=99.0), "category"),
        (column("zip", "int64", distinct=199, minimum=1e4, maximum=9e4), "category"),
    ],
)
def test_a_column_gets_the_role_that_fits_it(one: Column, role: str) -> None:
    assert _decide(one).role == role


@pytest.mark.parametrize(
    "one",
    [
        column("flight", distinct=1_000),
        column("row", "int64", distinct=1_000, minimum=0.0, maximum=999.0),
        column("customer_id", "int64", distinct=600, minimum=0.0, maximum=1e9),
        column("UUID", distinct=1_000, length=36.0),
    ],
)
def test_a_column_that_identifies_is_a_suspect_and_left_out(one: Column) -> None:
    decision = _decide(one)
    assert (decision.role, decision.suspect) == ("left out", True)
    assert "identifier" in decision.reason


def test_a_measure_that_differs_in_every_row_does_not_identify() -> None:
    assert _decide(column("salary", "int64", distinct=1_000, minimum=2e4, maximum=9e5)).role == "number"


def test_a_column_that_predicts_the_label_alone_is_a_suspect() -> None:
    decision = _decide(column("arr_delay", "float32", distinct=300), score=0.998)
    assert (decision.role, decision.suspect) == ("left out", True)
    assert "99.8%" in decision.reason


@pytest.mark.parametrize(
    ("name", "suspect"), [("late_minutes", True), ("isLate", True), ("plate", False), ("latency", False)]
)
def test_a_name_that_contains_the_labels_as_a_word_is_a_suspect(name: str, suspect: bool) -> None:
    assert _decide(column(name, "float32", distinct=300)).suspect == suspect


def test_constant_and_empty_columns_are_left_out_without_suspicion() -> None:
    constant, empty = _decide(column(distinct=1, values=("USA",))), _decide(column(distinct=0, missing=1_000))
    assert (constant.role, constant.reason, constant.suspect) == ("left out", "always 'USA'", False)
    assert (empty.role, empty.reason, empty.suspect) == ("left out", "it has no values", False)


def test_a_value_that_is_either_there_or_missing_is_kept() -> None:
    assert _decide(column("coupon", distinct=1, missing=400, values=("SALE",))).role == "category"


def test_very_many_categories_share_one_hash() -> None:
    columns = [column(f"c{number}", distinct=5) for number in range(60)]
    assert {decision.role for decision in decide_columns(_profile(*columns), "late", {})} == {"hashed", "label"}


@pytest.mark.parametrize("rows", [30, 100, 1_000, 20_000, 300_000, 5_000_000])
def test_every_size_of_table_trains_some_hundred_steps_and_is_judged_by_enough_rows(rows: int) -> None:
    fitting = decide_fitting(rows)
    steps = fitting.epochs * rows * fitting.split.train / fitting.batch_size
    assert steps >= 80
    assert rows * fitting.split.test >= min(100, rows * 0.2)
    assert 1 <= fitting.patience < fitting.epochs


def test_rows_without_a_label_are_allowed_for_and_reported() -> None:
    profile = _profile(rows=950, unlabelled=50)
    assert quarantine_limit(profile) == 0.06
    assert quarantine_limit(_profile()) == 0.0
    notes = collect_notes(profile, Target(TASKS["regression"], "", {}), [])
    assert notes == ["50 rows (5.0%) have no label: each run sets them aside (data.quarantine_limit allows it)"]


def test_rare_classes_and_repeating_identifiers_are_reported() -> None:
    repeats = _decide(column("customer_id", "int64", distinct=600, minimum=0.0, maximum=1e9))
    notes = collect_notes(
        _profile(), Target(TASKS["multiclass_classification"], "", {"a": 990, "b": 9, "c": 1}), [repeats]
    )
    assert notes[0].startswith("only 1 row has the label 'c' (2 classes have fewer than 30)")
    assert "data.split.by" in notes[1]
