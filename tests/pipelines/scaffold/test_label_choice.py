"""The task, from the label."""

from __future__ import annotations

from typing import Any

import pytest

from components._core.errors import ConfigError, DataError
from pipelines.scaffold.label_choice import decide_target
from tests.pipelines.scaffold.conftest import column


def _label(dtype: str, counts: dict[str, int]) -> Any:
    return column("y", dtype, rows=sum(counts.values()), distinct=len(counts), counts=counts, values=tuple(counts))


@pytest.mark.parametrize(
    ("dtype", "counts", "positive"),
    [
        ("string", {"no": 60, "yes": 40}, "yes"),
        ("string", {"Yes": 90, "No": 10}, "Yes"),
        ("string", {"male": 60, "female": 40}, "female"),
        ("int64", {"0": 30, "1": 70}, 1),
        ("float32", {"0": 30, "1": 70}, 1),
        ("int64", {"1": 80, "2": 20}, 2),
    ],
)
def test_of_two_values_the_one_that_says_yes_or_else_the_rarer_is_positive(
    dtype: str, counts: dict[str, int], positive: str | int
) -> None:
    target = decide_target(_label(dtype, counts))
    assert (target.task.name, target.positive) == ("binary_classification", positive)


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ({"no": 98, "yes": 2}, 0.02),
        ({"0": 91, "1": 9}, 0.09),
        ({"no": 90, "yes": 10}, None),
        ({"yes": 95, "no": 5}, None),
    ],
)
def test_a_rare_positive_is_noticed_and_a_frequent_one_is_not(counts: dict[str, int], share: float | None) -> None:
    target = decide_target(_label("int64" if "0" in counts else "string", counts))
    assert target.rare_share == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize("task", ["", "multiclass_classification"])
def test_a_label_of_lists_is_refused_with_what_is_done_instead(task: str) -> None:
    lists = {'["action", "comedy"]': 50, '["drama"]': 30, "[]": 20}
    with pytest.raises(ConfigError, match=r"the label 'y' has a list in each row, such as '\[") as refused:
        decide_target(_label("string", lists), task)
    assert "make a project for each over the same table" in refused.value.remedy


def test_a_few_texts_are_classes() -> None:
    target = decide_target(_label("string", {"a": 50, "b": 30, "c": 20}))
    assert (target.task.name, target.positive) == ("multiclass_classification", None)


def test_a_few_whole_numbers_are_classes_and_many_are_a_quantity() -> None:
    few, many = {str(value): 100 for value in range(5)}, {str(value): 3 for value in range(90)}
    assert decide_target(_label("int64", few)).task.name == "multiclass_classification"
    assert decide_target(_label("int64", many)).task.name == "regression"


def test_real_numbers_are_a_quantity() -> None:
    assert decide_target(_label("float32", {str(value / 3): 10 for value in range(1, 12)})).task.name == "regression"


def test_a_label_with_one_value_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to learn"):
        decide_target(_label("string", {"same": 100}))


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="12 rows with a label are too few"):
        decide_target(_label("string", {"a": 6, "b": 6}))


def test_text_that_differs_in_every_row_is_no_label() -> None:
    with pytest.raises(ConfigError, match="too many to be classes"):
        decide_target(_label("string", {f"name {number}": 1 for number in range(300)}))
