from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.label_config import Labelling
from components._core.project.project_file import Project, parse_project

PROJECT = {"name": "reviews", "task": "binary_classification", "label": "mood", "data": {"source": "x.csv"}}
CLASSES = ["negative", "positive"]


def parsed(task: str = "binary_classification", **labels: Any) -> Project:
    return parse_project({**PROJECT, "task": task, "labels": labels})


def labels_of(project: Project) -> Labelling:
    assert project.labels is not None
    return project.labels


def test_a_project_without_labels_is_written_as_before() -> None:
    assert '"labels"' not in parse_project(PROJECT).to_json()
    assert '"labels"' in parsed(classes=CLASSES).to_json()


def test_the_scale_follows_from_the_labels() -> None:
    assert labels_of(parsed(classes=CLASSES)).level == "nominal"
    assert labels_of(parsed("regression", min=0)).level == "interval"
    assert labels_of(parsed("regression", classes=[1, 2, 3], scale="ordinal")).level == "ordinal"


def test_classes_are_texts_as_a_table_has_them() -> None:
    assert labels_of(parsed(classes=[0, 1])).classes == ["0", "1"]
    assert labels_of(parsed(classes=[0, 1])).numbers == [0, 1]
    assert labels_of(parsed(classes=[False, True])).classes == ["false", "true"]
    assert labels_of(parsed(classes=["1", "01"])).numbers is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({}, "labels.classes is missing"),
        ({"classes": ["a"]}, "found 1; 2 to 200 classes"),
        ({"classes": ["a", "a"]}, "'a' is there twice"),
        ({"classes": ["a", " "]}, "a class has 1 to 200 characters"),
        ({"classes": "ab"}, "must be a list of texts"),
        ({"classes": ["a", "b", "c"]}, "has 3 classes, and the task has two"),
        ({"classes": CLASSES, "min": 1}, "min and max are for numbers"),
        ({"classes": CLASSES, "show": ["mood"]}, "labels.show must not name the label 'mood'"),
        ({"classes": CLASSES, "columns": {"id": "x", "time": "x"}}, "columns has 'x' twice"),
        ({"classes": CLASSES, "next": {"random": 0}}, "greater than 0"),
        ({"classes": CLASSES, "next": {"random": 0.5}}, "must add up to 1"),
        ({"classes": CLASSES, "spans": "labels.parquet"}, "must have {span} once"),
    ],
)
def test_what_does_not_fit_is_named(labels: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parsed(**labels)
    assert message in str(raised.value)


def test_numbers_have_no_order_of_classes_and_bounds_in_order() -> None:
    with pytest.raises(ConfigError, match="scale: ordinal needs classes"):
        parsed("regression", scale="ordinal")
    with pytest.raises(ConfigError, match=r"min \(5\) must be below max \(1\)"):
        parsed("regression", min=5, max=1)
    with pytest.raises(ConfigError, match="the task predicts a number, and not all classes are whole numbers"):
        parsed("regression", classes=CLASSES)
