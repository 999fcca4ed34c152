"""A file that was trained elsewhere becomes a version: imported by the command, run through the whole pipeline, asked in its server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from palmerpenguins import load_penguins

from tests.components.frameworks.onnx.onnx_files import sklearn_file
from tests.local.conftest import ROOT, run_naru

pytestmark = [pytest.mark.slow, pytest.mark.nightly]  # train and the servers are looked at quickly elsewhere


def test_a_generated_project_deploys_the_imported_file(tmp_path: Path) -> None:
    table, folder, file = tmp_path / "penguins.csv", tmp_path / "penguins", tmp_path / "theirs.onnx"
    load_penguins().to_csv(table, index=False)
    file.write_bytes(sklearn_file())
    naru = [sys.executable, "-m", "pipelines"]
    new = [*naru, "new", str(folder), "--data", str(table), "--label", "species"]
    subprocess.run(new, cwd=ROOT, capture_output=True, check=True)
    imported = subprocess.run(
        [*naru, "import", str(folder), str(file)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "output output_probability: Adelie, Chinstrap, Gentoo" in imported.stdout
    done = run_naru(str(folder), "--set", "gates.serving.p95_ms=10000", "--set", "gates.model.first=deploy")
    assert done.code == 0 and done.record["deployed"], done.errors
    assert done.record["metrics"]["accuracy"] > 0.9
    verdicts = done.verdicts()
    assert (verdicts["transform"], verdicts["tune"]) == ("skipped", "skipped") and verdicts["train"] == "ok"
    refused = run_naru(str(folder), "--epochs", "3")
    assert refused.code == 2 and "train.epochs: has no meaning for 'onnx', whose model is finished" in refused.errors
