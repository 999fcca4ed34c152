"""Generated rows for the tests of a project's own functions, and that such tests notice what is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from components._core.errors import ConfigError, NaruError
from pipelines.testing import Columns, run_code

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = Columns(
    label=["no", "yes"],
    whole={"rooms": (1, 6), "far": (-(2**62), 2**63 - 1)},
    numbers={"income": (0.5, 9.5), "huge": (-1e300, 1e300)},
    texts={"plan": ["gold", "silver"]},
)
SKLEARN_MODEL = """
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder


def build_model(hyperparameters):
    columns = ColumnTransformer([("n", SimpleImputer(), ["income"]), ("t", OneHotEncoder(handle_unknown="ignore"), ["plan"])])
    return Pipeline([("columns", columns), ("last", LogisticRegression())])
"""


@pytest.mark.parametrize("seed", range(3))
def test_usual_rows_are_those_of_the_columns(seed: int) -> None:
    rows = COLUMNS.generate("y", np.random.default_rng(seed), 500, odd=False)
    assert pc.min_max(rows["rooms"]).as_py() == {"min": 1, "max": 6}
    assert pc.min(rows["income"]).as_py() >= 0.5 and pc.max(rows["income"]).as_py() <= 9.5
    assert set(rows["plan"].to_pylist()) == {"gold", "silver", None}
    assert set(rows["y"].to_pylist()) == {"no", "yes"}


@pytest.mark.parametrize("seed", range(3))
def test_odd_rows_have_what_is_missing_and_what_is_new(seed: int) -> None:
    rows = COLUMNS.generate("y", np.random.default_rng(seed), 500, odd=True)
    assert rows["rooms"].null_count == rows["far"].null_count == 0
    assert [rows[name][0].as_py() for name in ("income", "huge", "plan")] == [None, None, None]
    assert 20 < rows["plan"].null_count < 100
    assert len(set(rows["plan"].to_pylist()) - {"gold", "silver", None}) == 1
    assert pc.max(rows["rooms"]).as_py() > 6 and pc.max(rows["income"]).as_py() > 9.5


def test_rows_of_a_label_of_numbers_are_in_its_range() -> None:
    label = Columns(label=(2.0, 4.0)).generate("y", np.random.default_rng(0), 100, odd=False)["y"]
    assert 2 <= pc.min(label).as_py() < pc.max(label).as_py() <= 4


def test_a_column_that_the_model_does_not_see_is_refused(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(
        "name: p\ntask: binary_classification\nlabel: y\npositive: 'yes'\ndata: {source: t.csv, exclude: [plan]}\n"
    )
    with pytest.raises(ConfigError, match="the model does not see 'plan'"):
        run_code(tmp_path, COLUMNS)


def _sklearn_project(folder: Path, model: str) -> Path:
    (folder / "project.yaml").write_text(
        "name: p\ntask: binary_classification\nlabel: y\npositive: 'yes'\ndata: {source: t.csv}\ncode: {framework: sklearn}\n"
    )
    (folder / "model.py").write_text(model)
    return folder


@pytest.mark.slow
def test_a_pipeline_of_scikit_learn_is_fitted_and_its_columns_are_the_features(tmp_path: Path) -> None:
    columns = Columns(label=["no", "yes"], numbers={"income": (0.5, 9.5)}, texts={"plan": ["gold", "silver"]})
    result = run_code(_sklearn_project(tmp_path, SKLEARN_MODEL), columns, seed=3)
    assert set(result.features) == {"income", "plan"}
    assert result.scores.shape == (result.rows,)
    assert np.isfinite(result.scores).all()


@pytest.mark.slow
def test_a_pipeline_that_knows_no_new_texts_does_not_pass(tmp_path: Path) -> None:
    columns = Columns(label=["no", "yes"], numbers={"income": (0.5, 9.5)}, texts={"plan": ["gold", "silver"]})
    model = SKLEARN_MODEL.replace('OneHotEncoder(handle_unknown="ignore")', "OneHotEncoder()")
    with pytest.raises(Exception, match="unknown categories"):
        run_code(_sklearn_project(tmp_path, model), columns)


@pytest.mark.slow
def test_the_test_of_the_example_passes_with_plain_pytest() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/flights/tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("tf.where(tf.math.is_nan(scaled), 0.0, scaled)", "scaled", "'dep_delay' is NaN or infinite"),
        ("tf.clip_by_value(inputs[name], 0, bound - 1)", "inputs[name]", "is not in"),
    ],
)
def test_code_that_cannot_take_missing_or_new_values_does_not_pass(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    unneeded = shutil.ignore_patterns("data", ".naru")
    folder = shutil.copytree(ROOT / "examples" / "flights", tmp_path / "flights", ignore=unneeded)
    file = folder / "preprocessing.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    columns = Columns(
        label=["0", "1"],
        whole=dict.fromkeys(("month", "day", "hour", "distance", "sched_dep_time", "sched_arr_time"), (1, 20)),
        numbers={"dep_delay": (-5.0, 90.0)},
        texts={"carrier": ["UA"], "origin": ["EWR"], "dest": ["IAH"]},
    )
    with pytest.raises((NaruError, RuntimeError, ValueError), match=message):
        run_code(folder, columns)


def test_a_project_without_a_model_scores_whatever_is_missing_new_or_far_outside(tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    (tmp_path / "project.yaml").write_text(
        "name: loans\ntask: binary_classification\nlabel: y\ndata: {source: x.csv}\ncode: {framework: auto}\n"
    )
    result = run_code(tmp_path, COLUMNS)
    assert result.scores.shape == (result.rows,) and np.isfinite(result.scores).all()
