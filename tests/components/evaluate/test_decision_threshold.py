"""The threshold of a model: from project.yaml or chosen on the eval rows; gates, records and the champion go by it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.checks import Check
from components._core.errors import ModelError
from components._core.examples.artifact import Manifest, split_file
from components._core.examples.reference_rows import Reference
from components._core.files import read_json
from components._core.project.project_file import Project
from components._core.store.ledger import Deployment
from components._core.types.artifact_files import PAGE, REFERENCE
from components._core.types.signature import Signature
from components.evaluate.decision_threshold import DecisionThreshold, find_threshold
from components.evaluate.evaluate import Judged
from components.evaluate.evidence import Evidence
from components.evaluate.gates import check_classes
from tests.components.tiny_models import CLASSES, FEATURES, tiny_project, write_examples

Judge = Callable[..., Judged]
Make = Callable[..., Path]
BINARY = "binary_classification"


def _project(threshold: Any = None, **sections: Any) -> Project:
    raw = tiny_project().model_dump(by_alias=True, exclude_none=True)
    if threshold is not None:
        raw["serve"]["threshold"] = threshold
    for name, section in sections.items():
        raw[name] |= section
    return Project.model_validate(raw)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny examples with an eval split: other rows than the test split has."""
    folder = write_examples(tmp_path_factory.mktemp("with-eval"), BINARY)
    other = write_examples(tmp_path_factory.mktemp("other"), BINARY, rows=900)
    target = split_file(folder, "eval", 1)
    target.parent.mkdir(parents=True)
    shutil.copy(split_file(other, "test", 1), target)
    replace(Manifest.load(folder), rows={"train": 1_200, "eval": 900, "test": 1_200}).save(folder)
    return folder


def _check(judged: Judged, name: str = "threshold") -> Check:
    return next(check for check in judged.outcome.checks if check.name == name)


def test_without_the_key_nothing_is_recorded(judged: Judge, rows: Path, tmp_path: Path) -> None:
    found = judged(_project(), rows=rows)
    assert "threshold" not in found.outcome.metrics
    assert "threshold" not in {check.name for check in found.outcome.checks}
    assert set(read_json(tmp_path / "evaluation" / REFERENCE)) == {"row", "ranges"}
    page = (tmp_path / "evaluation" / PAGE).read_text()
    assert "the model's threshold" not in page and "Confusion at 0.5" in page


def test_a_number_decides_metrics_confusion_and_record(judged: Judge, rows: Path, tmp_path: Path) -> None:
    default = judged(_project(), rows=rows, to="default")
    found = judged(_project(0.1), rows=rows)
    assert found.outcome.metrics["threshold"] == 0.1
    assert found.outcome.metrics["recall"] > default.outcome.metrics["recall"]
    assert found.outcome.metrics["auc"] == default.outcome.metrics["auc"]
    assert found.confusion is not None and found.confusion[1][1] > (default.confusion or [[0, 0], [0, 0]])[1][1]
    assert Reference.load(tmp_path / "evaluation").threshold == 0.1
    assert _check(found).status == "pass" and "as serve.threshold says" in _check(found).reason
    assert "at 0.1, the model's threshold" in (tmp_path / "evaluation" / PAGE).read_text()


def test_a_metric_chooses_on_the_eval_rows_and_never_on_the_test_rows(
    judged: Judge, rows: Path, tmp_path: Path
) -> None:
    found = judged(_project("f1"), rows=rows)
    check = _check(found)
    assert check.status == "pass" and check.n == 900
    assert "the best f1" in check.reason and "of 900 eval rows" in check.reason
    other = tmp_path / "other-test"
    shutil.copytree(rows, other)
    shutil.copy(split_file(rows, "eval", 1), split_file(other, "test", 1))
    again = judged(_project("f1"), rows=other, to="again")
    assert again.outcome.metrics["threshold"] == found.outcome.metrics["threshold"]
    assert again.outcome.metrics["f1"] != found.outcome.metrics["f1"]


class _Scores:
    """A model whose score is a column of the rows."""

    def __init__(self, scores: Callable[[np.ndarray], np.ndarray]) -> None:
        self._scores = scores
        self.signature = Signature(BINARY, FEATURES, {"probability": "float32"}, CLASSES[BINARY])

    def predict(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"probability": self._scores(arrays["noise"])}


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (lambda noise: np.full_like(noise, 0.3), "the 900 eval rows have no scores that differ: 0.5 is used"),
        (lambda noise: np.full_like(noise, np.nan), "have no scores that differ"),
    ],
)
def test_rows_that_cannot_choose_warn_and_keep_the_default(rows: Path, scores: Any, message: str) -> None:
    found = find_threshold(_project("f1"), _Scores(scores), rows)  # type: ignore[arg-type]
    assert found is not None and found.value == 0.5
    assert found.check.status == "warn" and message in found.check.reason


def test_few_rows_of_a_class_warn_that_the_threshold_depends_on_chance(rows: Path, tmp_path: Path) -> None:
    few = write_examples(tmp_path / "few", BINARY, rows=40)
    split_file(few, "eval", 1).parent.mkdir(parents=True)
    shutil.copy(split_file(few, "test", 1), split_file(few, "eval", 1))
    found = find_threshold(_project("f1"), _Scores(lambda noise: noise), few)  # type: ignore[arg-type]
    assert found is not None and found.check.status == "warn"
    assert "of the rarer class: another split may give another threshold" in found.check.reason


def test_a_model_that_fails_on_the_eval_rows_is_a_model_error(rows: Path) -> None:
    with pytest.raises(ModelError, match="has shape"):
        find_threshold(_project("f1"), _Scores(lambda noise: noise[:1]), rows)  # type: ignore[arg-type]


def test_a_champion_is_compared_at_its_own_threshold(judged: Judge, model: Make, rows: Path, tmp_path: Path) -> None:
    """The champion decides from 0.9 in service: the challenger, which scores alike, is better by f1 at 0.5."""
    champion = _decides_from(0.9, model(BINARY), tmp_path / "champion")
    (champion / "another-file").touch()
    found = judged(_project(gates={"model": {"metric": "f1"}}), champion=_line_of(champion), rows=rows)
    check = _check(found, "champion")
    assert check.status == "pass" and check.baseline is not None
    assert check.measured is not None and check.measured > check.baseline + 0.1


def test_another_threshold_of_the_champions_model_goes_into_service(
    judged: Judge, model: Make, rows: Path, tmp_path: Path
) -> None:
    """The primary metric, auc, does not depend on it: the model cannot be better than itself."""
    champion = _line_of(_decides_from(0.9, model(BINARY), tmp_path / "champion"))
    found = judged(_project(0.4), champion=champion, rows=rows)
    assert found.outcome.verdict == "ok" and _check(found, "champion").status == "pass"
    assert _check(found, "champion").reason == "the model of champion v3, with another threshold"
    assert judged(_project(0.9), champion=champion, rows=rows, to="again").outcome.verdict == "skipped"


def _decides_from(threshold: float, model: Path, folder: Path) -> Path:
    shutil.copytree(model, folder)
    Reference(threshold=threshold).save(folder / REFERENCE)
    return folder


def _line_of(champion: Path) -> str:
    return json.dumps(
        asdict(Deployment("3", str(champion), "", "", {}, "", "run", "2026-01-01T00:00:00+00:00", "test", "test"))
    )


def _evidence(labels: list[int], scores: list[float], project: Project, threshold: float | None = None) -> Evidence:
    signature = Signature(BINARY, (), {}, CLASSES[BINARY])
    decides = DecisionThreshold(threshold, Check("threshold", "pass")) if threshold else None
    return Evidence(project, signature, np.array(labels), np.array(scores), threshold=decides)


@pytest.mark.parametrize(
    ("project", "advice"),
    [
        (_project(), "; try serve.threshold: f1 or train.class_weight: balanced"),
        (_project(0.4), "; try train.class_weight: balanced"),
        (_project(train={"class_weight": "balanced"}), "; try serve.threshold: f1"),
        (_project(0.4, train={"class_weight": {"1": 3}}), "; more rows of the class would help"),
    ],
)
@pytest.mark.parametrize(
    "scores", [[0.1, 0.2, 0.3], [0.1, 0.9, 0.2]], ids=["no to everything", "none of the right ones"]
)
def test_a_model_that_finds_no_positive_says_what_helps(project: Project, advice: str, scores: list[float]) -> None:
    (check,) = check_classes(_evidence([0, 0, 1], scores, project))
    assert check.status in ("fail", "warn") and advice in check.reason


def test_positives_that_are_all_missed_warn_although_some_rows_are_called_positive() -> None:
    (check,) = check_classes(_evidence([0, 0, 1, 1], [0.1, 0.9, 0.2, 0.3], _project()))
    assert check.status == "warn" and check.reason.startswith("finds none of the 2 test rows with '1'")


def test_a_threshold_decides_which_classes_are_predicted() -> None:
    labels, scores = [0, 0, 1], [0.1, 0.2, 0.3]
    (check,) = check_classes(_evidence(labels, scores, _project(0.25), threshold=0.25))
    assert check.status == "pass"
