"""The interval beside predictions: fitted on eval rows, measured on test rows, kept for the server, compared with the champion's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from components._core.checks import Check
from components._core.examples.artifact import Manifest, split_file
from components._core.examples.reference_rows import Reference
from components._core.files import read_json
from components._core.project.project_file import Project
from components._core.store.ledger import Deployment
from components._core.types.artifact_files import PAGE, REFERENCE
from components._core.types.prediction_interval import PredictionInterval
from components._predictor.predictor import load
from components.evaluate.evaluate import Judged
from tests.components.tiny_models import tiny_project, write_examples

Judge = Callable[..., Judged]
Make = Callable[..., Path]
TASK = "regression"
NOISE = 0.7
"""Standard deviation of the tiny rows' labels around what the model answers."""


def _project(interval: Any = None, task: str = TASK) -> Project:
    raw = tiny_project(task).model_dump(by_alias=True, exclude_none=True)
    raw["serve"] |= {} if interval is None else {"interval": interval}
    return Project.model_validate(raw)


def _with_eval(folder: Path, other: Path, rows: int) -> Path:
    """The tiny examples with an eval split: other rows than the test split has."""
    write_examples(folder, TASK)
    target = split_file(folder, "eval", 1)
    target.parent.mkdir(parents=True)
    shutil.copy(split_file(write_examples(other, TASK, rows), "test", 1), target)
    replace(Manifest.load(folder), rows={"train": 1_200, "eval": rows, "test": 1_200}).save(folder)
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _with_eval(tmp_path_factory.mktemp("rows"), tmp_path_factory.mktemp("other"), 900)


def _check(judged: Judged, name: str = "prediction interval") -> Check:
    return next(check for check in judged.outcome.checks if check.name == name)


def test_without_the_key_nothing_is_recorded(judged: Judge, rows: Path, tmp_path: Path) -> None:
    found = judged(_project(), rows=rows)
    assert "interval_coverage" not in found.outcome.metrics
    assert "prediction interval" not in {check.name for check in found.outcome.checks}
    assert set(read_json(tmp_path / "evaluation" / REFERENCE)) == {"row", "ranges"}


def test_it_is_fitted_on_eval_rows_and_measured_on_test_rows(judged: Judge, rows: Path, tmp_path: Path) -> None:
    found = judged(_project(0.8), rows=rows)
    interval = Reference.load(tmp_path / "evaluation").interval
    assert interval is not None and interval.coverage == 0.8
    expected = 1.2816 * NOISE  # the 90th percentile of the labels' noise
    assert interval.above == pytest.approx(expected, rel=0.15) and interval.below == pytest.approx(-expected, rel=0.15)
    check = _check(found)
    assert check.status == "pass" and check.n == 1_200 and check.threshold == 0.8
    assert check.measured == found.outcome.metrics["interval_coverage"] == pytest.approx(0.8, abs=0.05)
    assert "by 900 eval rows" in check.reason
    assert "in the interval of 0.8" in (tmp_path / "evaluation" / PAGE).read_text()


def test_test_rows_that_lie_elsewhere_warn(judged: Judge, rows: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(rows, moved)
    file = split_file(moved, "test", 1)
    table = pq.read_table(file)
    wider = pa.array(np.asarray(table["y"]) * 3.0, pa.float32())
    pq.write_table(table.set_column(table.column_names.index("y"), "y", wider), file)
    check = _check(judged(_project(0.9), rows=moved))
    assert check.status == "warn" and "test rows differ from eval rows" in check.reason


def test_too_few_eval_rows_block_the_model_and_say_how_many_are_needed(judged: Judge, tmp_path: Path) -> None:
    few = _with_eval(tmp_path / "few", tmp_path / "other", 30)
    found = judged(_project(0.95), rows=few)
    assert found.outcome.verdict == "blocked"
    assert _check(found).reason == "30 eval rows are too few for serve.interval: 0.95, which needs 39"


def test_the_server_answers_with_both_ends(judged: Judge, model: Make, rows: Path, tmp_path: Path) -> None:
    judged(_project(0.8), rows=rows)
    served = tmp_path / "served"
    shutil.copytree(model(TASK), served)
    shutil.copy(tmp_path / "evaluation" / REFERENCE, served / REFERENCE)
    interval = Reference.load(served).interval
    assert interval is not None
    predictor = load(served)
    names = ["prediction", "prediction_lower", "prediction_upper"]
    assert list(predictor.signature.outputs) == names
    given = {"delay": [30.0, None], "month": [6, 6], "carrier": ["AA", "nobody"], "noise": [0.0, 0.0]}
    answered = predictor.predict(given)
    assert list(answered) == names and {values.dtype for values in answered.values()} == {np.dtype(np.float32)}
    assert answered["prediction_lower"] == pytest.approx(answered["prediction"] + interval.below, abs=1e-6)
    assert answered["prediction_upper"] == pytest.approx(answered["prediction"] + interval.above, abs=1e-6)
    by_row = predictor.answer_rows(given)
    assert list(by_row.outputs) == names


def test_another_interval_of_the_champions_model_goes_into_service(
    judged: Judge, model: Make, rows: Path, tmp_path: Path
) -> None:
    champion = tmp_path / "champion"
    shutil.copytree(model(TASK), champion)
    Reference(interval=PredictionInterval(-1.0, 1.0, 0.9)).save(champion / REFERENCE)
    line = Deployment("3", str(champion), "", "", {}, "f", "run", "2026-01-01T00:00:00+00:00", "me", "a test")
    found = judged(_project(0.8), champion=json.dumps(asdict(line)), rows=rows)
    assert found.outcome.verdict == "ok" and "with another interval" in _check(found, "champion").reason


@pytest.mark.parametrize("value", [0.0, 0.49, 1.0, "0.9 of them", True])
def test_a_share_that_cannot_be_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="interval"):
        _project(value)


def test_a_task_with_classes_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"serve\.interval: a binary_classification project answers with prob"):
        _project(0.9, "binary_classification")
