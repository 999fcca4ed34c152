"""With `serve.optimize` a run serves the variant that it chose, everywhere, and says so; the model itself stays in the version."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components._core.files import read_json
from components._core.store.file_digests import verify_model
from components._core.types.variant_table import ServedVariant, VariantTable
from tests.local.conftest import ROOT, answer_of, run_naru

PROJECT = """
name: wide
task: binary_classification
label: y
data: {source: rows.csv}
code: {framework: sklearn}
serve: {optimize: OPTIMIZE}
gates: {serving: {p95_ms: 10000, load_seconds: 0.5}, model: {first: deploy}}
"""
MODEL = """
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def build_model(hyperparameters):
    return make_pipeline(StandardScaler(), MLPClassifier((384, 384), max_iter=4, random_state=7))
"""
LENIENT = "{variants: [int8], max_difference: 1, max_changed_classes: 1, max_metric_loss: 1, min_speedup: 1}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    rows = random.normal(size=(4_000, 10))
    frame = pd.DataFrame(rows, columns=[f"x{number}" for number in range(10)])
    frame["y"] = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0).astype(int)
    folder = tmp_path / "wide"
    folder.mkdir()
    frame.to_csv(folder / "rows.csv", index=False)
    (folder / "model.py").write_text(MODEL)
    (folder / "project.yaml").write_text(PROJECT.replace("OPTIMIZE", LENIENT))
    return folder


@pytest.mark.slow
def test_the_chosen_variant_is_deployed_served_and_named(project: Path) -> None:
    ran = run_naru(str(project))
    assert ran.code == 0 and ran.record["deployed"], ran.errors
    table = VariantTable.load(Path(ran.record["artifacts"]["evaluation"]))
    assert table is not None and ran.record["variant"] == table.served
    assert ran.record["variants"][0].startswith("variants of the model, by ")
    registered = read_json(Path(ran.record["artifacts"]["registration"]) / "registration.json")
    base = Path(registered["model"].removeprefix("file://")).parent
    verify_model(base / "model")
    served = ServedVariant.load(base / "model")
    assert served is not None and served.name == table.served == "int8", table.reason
    assert (base / "original" / "model.onnx").stat().st_size > 2 * (base / "model" / "model.onnx").stat().st_size
    assert "Optimised variants" in Path(ran.record["paths"]["report"]).read_text()
    again = run_naru(str(project))
    assert "nothing changed since version 1" in again.record["reason"]
    found = answer_of(
        "predict", str(project), "--source", str(project / "rows.csv"), "--output", str(project / "a.csv")
    )
    assert found["variant"] == "int8"
    explained = subprocess.run(
        [sys.executable, "-m", "pipelines", "explain", str(project), "--row", "3"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert "as its variant int8" in explained.stdout, explained.stderr
    (project / "project.yaml").write_text(PROJECT.replace("OPTIMIZE", '"off"'))
    without = run_naru(str(project))
    assert without.record["deployed"] and without.record["variant"] == "", without.errors


@pytest.mark.slow
def test_a_model_of_keras_is_served_as_what_its_table_says(new_project: Callable[[str], Path]) -> None:
    folder = new_project("optimized")
    text = (folder / "project.yaml").read_text()
    (folder / "project.yaml").write_text(f"{text}\nserve: {{optimize: auto}}\n")
    ran = run_naru(str(folder))
    assert ran.code == 0 and ran.record["deployed"], ran.errors
    table = VariantTable.load(Path(ran.record["artifacts"]["evaluation"]))
    assert table is not None and ran.record["variant"] == table.served
    measured = {entry.name: entry for entry in table.entries if entry.row_ms}
    assert measured.keys() >= {"original", "folded", "xla", "onnx"}, table
    assert max(measured[name].difference or 0.0 for name in ("folded", "xla", "onnx")) < 1e-5
