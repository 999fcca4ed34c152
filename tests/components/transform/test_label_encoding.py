from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import ConfigError, DataError
from components._core.project.project_file import Project
from components._core.types.tasks import TASKS
from components.transform.label_encoding import find_classes
from tests.components.small_flights import write_split

BINARY, MULTICLASS = "binary_classification", "multiclass_classification"


def classes_of(folder: Path, task: str, values: list[object], positive: object = None) -> list[str]:
    write_split(folder, "train", pa.table({"y": values}))
    raw = {"name": "t", "task": task, "label": "y", "positive": positive, "data": {"source": "t.csv"}}
    return find_classes(Project.model_validate(raw), folder)


def test_the_greater_value_is_positive_unless_the_project_says_otherwise(tmp_path: Path):
    assert classes_of(tmp_path / "a", BINARY, ["yes", "no", "no"]) == ["no", "yes"]
    assert classes_of(tmp_path / "b", BINARY, ["yes", "no"], positive="no") == ["yes", "no"]


def test_numbers_are_compared_as_numbers(tmp_path: Path):
    assert classes_of(tmp_path / "a", BINARY, [10, 9]) == ["9", "10"]
    assert classes_of(tmp_path / "b", MULTICLASS, [10.0, 2.0, 1.5]) == ["1.5", "2", "10"]


def test_a_label_with_one_value_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="'1' in every row"):
        classes_of(tmp_path, BINARY, [1, 1])


def test_three_values_are_not_a_binary_label(tmp_path: Path):
    with pytest.raises(DataError, match=r"3 values.*\n.*multiclass_classification"):
        classes_of(tmp_path, BINARY, ["a", "b", "c"])


def test_a_positive_value_that_does_not_occur_is_a_mistake_in_the_project(tmp_path: Path):
    with pytest.raises(ConfigError, match="positive: 'maybe' is not a value of the label 'y', which has 'no', 'yes'"):
        classes_of(tmp_path, BINARY, ["yes", "no"], positive="maybe")


def test_a_missing_label_is_reported_with_its_split(tmp_path: Path):
    with pytest.raises(DataError, match="missing in 1 of 3 rows of train"):
        classes_of(tmp_path, MULTICLASS, ["a", None, "b"])


def test_labels_become_class_indices_and_numbers_stay_numbers():
    assert TASKS[BINARY].training_labels(pa.array(["b", "a", "b"]), ["a", "b"]).tolist() == [1, 0, 1]
    values = TASKS["regression"].training_labels(pa.array([3, 4]), [])
    assert values.dtype == np.float32 and values.tolist() == [3.0, 4.0]
