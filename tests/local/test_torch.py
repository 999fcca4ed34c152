"""A project of PyTorch through the whole pipeline, as `naru new` writes it: made, searched, trained, explained, deployed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from palmerpenguins import load_penguins

from tests.components.debian_torch import REASON, import_torch, link_torch
from tests.local.conftest import ROOT, run_naru

pytestmark = [pytest.mark.slow, pytest.mark.nightly]


def test_a_network_of_pytorch_is_searched_trained_and_deployed(tmp_path: Path) -> None:
    if not import_torch():
        pytest.skip(REASON)
    path = f"{ROOT}{os.pathsep}{link_torch(tmp_path / 'packages')}"
    table, folder = tmp_path / "penguins.csv", tmp_path / "penguins"
    load_penguins().to_csv(table, index=False)
    command = [sys.executable, "-m", "pipelines", "new", str(folder), "--data", str(table), "--label", "species"]
    world = {**os.environ, "PYTHONPATH": path}
    subprocess.run([*command, "--model", "torch"], cwd=ROOT, env=world, capture_output=True, check=True)
    lenient = ["--set", "gates.serving.p95_ms=10000", "--set", "gates.model.first=deploy"]
    ran = run_naru(str(folder), "--trials", "2", *lenient, PYTHONPATH=path, NARU_SERVING="local")
    assert ran.code == 0, ran.errors
    assert ran.record["deployed"], ran.record["reason"]
    assert ran.record["metrics"]["accuracy"] > 0.9
    assert ran.verdicts()["tune"] == "ok" and ran.verdicts()["explain"] in ("ok", "warn")
