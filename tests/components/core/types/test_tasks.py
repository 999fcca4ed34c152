"""Project files, labels and metrics follow the table of tasks; a new task is one line."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import Project, parse_project
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import LabelProfile, Task
from components._core.types.tasks.metric import Metric
from tests.components.forecast_task import FORECAST

BINARY, MULTICLASS, REGRESSION = TASKS.values()


def parse(task: str, **more: object) -> Project:
    return parse_project({"name": "p", "task": task, "label": "y", "data": {"source": "t.csv"}, **more})


def test_the_table_is_read_without_importing_numpy() -> None:
    light = "import sys, components._core.project.project_file; print({'numpy', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_metric_that_a_task_names_is_one_of_its_own(task: Task) -> None:
    names = {metric.name for metric in task.metrics}
    assert {task.primary, *task.headline} <= names and len(names) == len(task.metrics)


def test_an_unknown_task_is_refused_with_those_that_there_are() -> None:
    allowed = "found 'ranking'; input should be 'binary_classification', 'multiclass_classification' or 'regression'"
    with pytest.raises(ConfigError, match=f"task: {allowed}"):
        parse("ranking")


@pytest.mark.parametrize("task", [[], {}, 5, None])
def test_a_task_that_is_not_a_text_is_refused(task: object) -> None:
    with pytest.raises(ConfigError, match="task: "):
        parse(task)  # type: ignore[arg-type]


@pytest.mark.parametrize("task", [MULTICLASS.name, REGRESSION.name])
def test_a_positive_value_is_refused_for_a_task_that_takes_none(task: str) -> None:
    with pytest.raises(
        ConfigError, match=f"positive: a {task} project has no positive value; remove it, or set task: bin"
    ):
        parse(task, positive="yes")


def test_the_primary_metric_is_that_of_the_task_unless_the_project_names_one() -> None:
    assert parse(BINARY.name).primary_metric().name == "auc"
    assert parse(BINARY.name, gates={"model": {"metric": "f1"}}).primary_metric().name == "f1"


def test_classes_are_ordered_by_number_and_then_by_text() -> None:
    assert MULTICLASS.order_classes({"b", "10", "9", "a"}, None) == ["9", "10", "a", "b"]
    assert BINARY.order_classes({"9", "10"}, None) == ["9", "10"]
    assert BINARY.order_classes({"9", "10"}, "9") == ["10", "9"]
    assert REGRESSION.order_classes({"9", "10"}, None) == []


def test_rules_of_a_label_are_reported_with_a_remedy() -> None:
    violation = BINARY.find_class_violation({"a", "b"}, None, "y", elsewhere={"c"})
    assert (
        violation
        and violation.message == "has 3 values ('a', 'b', 'c')"
        and "multiclass_classification" in violation.remedy
    )
    assert MULTICLASS.find_class_violation({"a", "b"}, None, "y", elsewhere={"c"}) is None
    assert REGRESSION.find_class_violation({"1"}, None, "y") is None
    assert REGRESSION.find_type_violation(is_text=True) and not MULTICLASS.find_type_violation(is_text=True)


def test_labels_are_read_as_class_indices_or_as_numbers() -> None:
    found = BINARY.label_values(pa.array(["b", None, "a", "z"]), ("a", "b"))
    assert found[BINARY.is_known(found)].tolist() == [1, 0]
    numbers = REGRESSION.label_values(pa.array([1.5, None]), ())
    assert numbers[REGRESSION.is_known(numbers)].tolist() == [1.5]


def test_only_outputs_by_class_have_an_axis_of_classes() -> None:
    classes = ("a", "b", "c")
    assert [MULTICLASS.output_shape(name, classes) for name in ("probabilities", "class")] == [[-1, 3], [-1]]
    assert BINARY.output_shape("probability", ("a", "b")) == [-1]


def test_a_new_task_is_known_to_the_project_file_once_it_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, FORECAST.name, FORECAST)
    project = parse("forecast", gates={"model": {"thresholds": {"miss_rate": {"max": 1}}}})
    assert project.primary_metric() == Metric("miss_rate", lower_is_better=True)
    assert '"task":"forecast"' in project.to_json()
    with pytest.raises(ConfigError, match="'auc' is not a metric of a forecast project; allowed: miss_rate, rmse"):
        parse("forecast", gates={"model": {"metric": "auc"}})


def test_a_new_task_measures_its_own_metrics() -> None:
    measured = FORECAST.measure(np.array([1.0, 2.0]), np.array([3.0, 2.0]))
    assert list(measured) == ["miss_rate", "rmse", "mae", "mse", "r2"] and measured["miss_rate"] == 0.5


def test_the_first_task_of_the_table_that_recognises_a_label_is_the_one_for_it() -> None:
    number = LabelProfile(1_000, 900, 0.9, False, {})
    assert [task.name for task in TASKS.values() if task.recognise(number)] == ["regression"]
    assert replace(FORECAST, name="other").recognise(number)
