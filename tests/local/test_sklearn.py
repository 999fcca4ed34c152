"""A project of scikit-learn through the whole pipeline: it challenges a champion of Keras, on a table with text and missing values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from palmerpenguins import load_penguins

from tests.components.small_penguins import LAST, MODEL
from tests.local.conftest import ROOT, run_naru

pytestmark = pytest.mark.slow

PROJECT = """
name: penguins
task: multiclass_classification
label: species
data: {source: penguins.csv}
code: {framework: FRAMEWORK}
gates: {model: {first: deploy, min_gain: -1}, serving: {p95_ms: 10000}}
"""


def test_a_champion_of_keras_is_challenged_by_a_pipeline_which_is_served(tmp_path: Path) -> None:
    table = tmp_path / "penguins.csv"
    load_penguins().to_csv(table, index=False)
    folder = tmp_path / "penguins"
    command = [sys.executable, "-m", "pipelines", "new", str(folder), "--data", str(table), "--label", "species"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    lenient = ["--set", "gates.serving.p95_ms=10000", "--set", "gates.model.first=deploy"]
    first = run_naru(str(folder), *lenient)
    assert first.code == 0 and first.record["deployed"], first.errors

    generated = (folder / "project.yaml").read_text()
    table.rename(folder / "penguins.csv")
    (folder / "model.py").write_text(MODEL.replace("LAST", LAST["multiclass_classification"]))
    (folder / "preprocessing.py").unlink()
    (folder / "project.yaml").write_text(PROJECT.replace("FRAMEWORK", "sklearn"))
    assert "name: penguins" in generated, "both are versions of one model"
    second = run_naru(str(folder), NARU_SERVING="local")
    assert second.code == 0, second.errors
    assert second.record["deployed"], second.record["reason"]
    assert second.record["metrics"]["accuracy"] > 0.9
    assert second.verdicts()["explain"] in ("ok", "warn")

    refused = run_naru(str(folder), "--epochs", "3")
    assert refused.code == 2 and "train.epochs: has no meaning for 'sklearn'" in refused.errors


def test_a_project_without_a_model_finds_one_which_is_served(tmp_path: Path) -> None:
    penguins = load_penguins()
    penguins[penguins.body_mass_g.notna()].to_csv(tmp_path / "penguins.csv", index=False)
    settings = PROJECT.replace("FRAMEWORK", "auto").replace("multiclass_classification", "regression")
    settings = settings.replace("label: species", "label: body_mass_g\ntune: {models: [linear], trials: 2}")
    (tmp_path / "project.yaml").write_text(settings)
    run = run_naru(str(tmp_path), NARU_SERVING="local")
    assert run.code == 0 and run.record["deployed"], run.errors
    assert run.record["leaderboard"][0].startswith("kinds of model by rmse on ")
    assert any(line.strip().startswith("constant ") for line in run.record["leaderboard"])
    tuned = next(stage for stage in run.record["stages"] if stage["stage"] == "tune")
    assert "is chosen among 2 kinds of model" in tuned["reason"]


def test_what_a_cluster_cannot_serve_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """A model of raw columns is ONNX as a whole, which the v2 server has an image for; Seldon's own protocol has one image for all."""
    text = PROJECT.replace("FRAMEWORK", "sklearn")
    (tmp_path / "project.yaml").write_text(f"{text}\nserve: {{protocol: seldon}}\n")
    refused = run_naru(str(tmp_path), NARU_SERVING="seldon")
    assert refused.code == 2 and "'sklearn' cannot be served on this cluster" in refused.errors
    assert not (tmp_path / ".naru").exists()
