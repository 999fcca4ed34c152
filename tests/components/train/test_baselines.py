"""What becomes of baselines whose process fails, and who may have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core import extras
from components._core.errors import ConfigError
from components._core.files import read_json
from components._core.project.project_file import Project, parse_project
from components._core.setting_names import PYTHON
from components._core.types.artifact_files import BASELINE_NOTES, BASELINE_SCORES
from components._frameworks.contract import TrainingData
from components._frameworks.project_rules import check_framework
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.train.baselines import MOST_NUMBERS, MOST_ROWS, baselines_beside, judged_rows

BASE = {"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}}


def project(**tune: Any) -> Project:
    return parse_project({**BASE, "tune": tune})


def rows_of(folder: Path, count: int) -> TransformedRows:
    columns = {"x": np.arange(count, dtype=np.float32), "label": np.arange(count, dtype=np.float32)}
    pq.write_table(pa.table(columns), transformed_file(folder, "eval"))
    return TransformedRows(transformed_file(folder, "eval"))


class Model:
    """A model that answers with a number for each row."""

    def score(self, rows: TransformedRows) -> np.ndarray:
        return np.zeros(rows.rows, dtype=np.float32)


HALF = """folder=${3##*, \\"}; printf PK > "${folder%??}/baselines.npz" && test -f "${folder%??}/baselines.npz" && kill -9 $$"""


@pytest.mark.parametrize("end", ["exit 3", "kill -9 $$", "exit 0", HALF])
def test_a_process_that_leaves_nothing_whole_is_noted_and_the_model_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{end}\n")
    python.chmod(0o755)
    monkeypatch.setenv(PYTHON, str(python))
    rows = rows_of(tmp_path, 20)
    history = tmp_path / "history"
    history.mkdir()
    with baselines_beside(project(baselines="on"), tmp_path, tmp_path) as baselines:
        assert baselines is not None
        baselines.save(Model(), TrainingData(rows, rows, tmp_path), 0, history)  # type: ignore[arg-type]
    (why,) = read_json(history / BASELINE_NOTES)["missing"].values()
    assert why.startswith("their process ended with")
    with np.load(history / BASELINE_SCORES, allow_pickle=False) as found:
        assert {name: found[name].shape for name in found} == {"labels": (20,), "project": (20,)}


def test_nothing_is_started_without_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON, str(tmp_path / "no such program"))
    with baselines_beside(project(), tmp_path, tmp_path) as baselines:
        assert baselines is None


@pytest.mark.parametrize(("classes", "most"), [(0, MOST_ROWS), (2, MOST_ROWS), (100, MOST_NUMBERS // 100)])
def test_eval_rows_are_bounded_by_their_number_and_by_the_scores_of_all_classes(
    tmp_path: Path, classes: int, most: int
) -> None:
    found = judged_rows(rows_of(tmp_path, 120_000), classes).rows
    assert most / 2 < found <= most + 1


@pytest.mark.parametrize(("given", "kept"), [(True, "on"), ("on", "on"), (False, "off"), ("off", "off")])
def test_the_setting_is_a_switch(given: object, kept: str) -> None:
    assert project(baselines=given).tune.baselines == kept
    assert '"baselines"' not in project().to_json()


def test_a_search_has_its_own_and_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="baselines: a search over models always has them"):
        project(models="auto", baselines="on")
    with pytest.raises(ConfigError, match=r"tune\.baselines: found 'maybe'"):
        project(baselines="maybe")


def test_without_scikit_learn_they_are_refused_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda name: name != "sklearn")
    with pytest.raises(ConfigError, match="packages that are not installed: sklearn") as refused:
        check_framework(project(baselines="on"))
    assert refused.value.where == "tune.baselines" and "naru[sklearn]" in refused.value.remedy
