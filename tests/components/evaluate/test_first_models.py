"""Gates of a first model, without a champion to beat: each class predicted at least once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components._core.store.ledger import Deployment
from components._core.types.signature import Signature
from components.evaluate.champion import Champion
from components.evaluate.evidence import Evidence
from components.evaluate.gates import check_classes
from tests.components.tiny_models import CLASSES, tiny_project

CHAMPION = Champion(Deployment("1", "m", "", "", {}, "", "run", "2026-01-01T00:00:00+00:00", "test", "test"), None)


def _evidence(labels: list[int], scores: Any, task: str = "binary_classification", **gates: Any) -> Evidence:
    signature = Signature(task, (), (), CLASSES[task])  # type: ignore[arg-type]
    return Evidence(tiny_project(task, **gates), signature, np.asarray(labels), np.asarray(scores))


def _one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(3)[classes]


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (_evidence([0, 0, 1], [0.1, 0.2, 0.4]), "'1' (1 of 3 test rows)"),
        (_evidence([0, 1, 1], [0.6, 0.7, 0.9]), "'0' (1 of 3 test rows)"),
        (_evidence([0, 1, 2, 2, 2], _one_hot([0, 1, 1, 1, 1]), "multiclass_classification"), "'on time' (3 of 5"),
    ],
)
def test_a_class_that_is_never_predicted_blocks_a_first_model_and_warns_of_a_later_one(
    evidence: Evidence, message: str
) -> None:
    (first,) = check_classes(evidence)
    assert first.status == "fail"
    assert f"never predicts {message}" in first.reason
    assert "gates.model.first: deploy" in first.reason
    (later,) = check_classes(replace(evidence, champion=CHAMPION))
    assert later.status == "warn"


def test_the_project_may_let_it_pass() -> None:
    (found,) = check_classes(_evidence([0, 1], [0.1, 0.2], first="deploy"))
    assert found.status == "warn"


def test_one_of_many_classes_with_hardly_a_row_only_warns() -> None:
    (found,) = check_classes(_evidence([0, 1, 2], _one_hot([0, 1, 1]), "multiclass_classification"))
    assert found.status == "warn"


@pytest.mark.parametrize(
    "evidence",
    [
        _evidence([0, 1], [0.1, 0.9]),
        _evidence([0, 0], [0.1, 0.2]),  # the class is in no test row
        _evidence([0, 1, 2], _one_hot([2, 0, 1]), "multiclass_classification"),
    ],
)
def test_each_class_predicted_once_passes(evidence: Evidence) -> None:
    (found,) = check_classes(evidence)
    assert found.status == "pass"


def test_a_number_has_no_classes() -> None:
    assert check_classes(_evidence([0, 1], [0.0, 1.0], "regression")) == []
