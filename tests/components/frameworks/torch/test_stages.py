"""A module on columns of numbers as they are, without a preprocessing_fn: transformed, trained and called, with missing values."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.components.debian_torch import REASON

pytest.importorskip("torch", reason=REASON)

from components._core.errors import ConfigError
from components._core.examples.artifact import read_head
from components._core.files import read_json
from components._core.setting_names import STORE
from components._core.types.signature import to_arrays
from components._frameworks.table import load_model
from tests.components.small_penguins import make_penguins

ROOT = Path(__file__).resolve().parents[4]
MODEL = """
import torch
from torch import nn

CENTRE = torch.tensor([44.0, 17.0, 200.0, 4200.0])
SPREAD = torch.tensor([5.5, 2.0, 14.0, 800.0])
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


class Network(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, classes))

    def forward(self, inputs):
        numbers = torch.cat([inputs[name] for name in NUMBERS], dim=1)
        return self.layers(torch.nan_to_num((numbers - CENTRE) / SPREAD))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.02)


def build_model(inputs, transform, hyperparameters):
    assert transform is None
    return Network(hyperparameters["classes"])
"""
SETTINGS = {"epochs": 8, "batch_size": 16, "patience": 0}


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))


def test_columns_of_numbers_need_no_preprocessing(tmp_path: Path) -> None:
    data = {"source": "penguins.csv", "exclude": ["island", "sex"]}
    penguins = make_penguins(tmp_path, model=MODEL, framework="torch", train=SETTINGS, data=data)
    folder = penguins.train()
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.onnx", "sha256.json", "signature.json", "structure.json"
    ]  # fmt: skip
    slopes = read_json(folder / "structure.json")["values"]
    assert slopes["year"] == 0 and min(slopes[name] for name in slopes if name != "year") > 0
    history = read_json(penguins.path("history of model") / "history.json")
    assert history["epochs"][history["best_epoch"] - 1]["eval_accuracy"] > 0.9
    model = load_model(folder)
    names = [feature.name for feature in model.signature.inputs]
    assert "year" in names  # not used by the module, and still a column of each request
    head = read_head(penguins.path("examples"), "test", 30, [*names, "species"])
    answer = model.predict(to_arrays(head, model.signature.inputs))
    assert np.isfinite(answer["probabilities"]).all()
    assert np.mean(answer["class"] == np.array(head["species"].to_pylist())) > 0.9


KILLED = """
import os
import signal
from torch import nn
from torch.nn.functional import cross_entropy


class Network(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, classes))
        self.calls = 0

    def forward(self, inputs):
        return self.layers(inputs["bill_length_mm"].nan_to_num() / 50)

    def training_step(self, inputs, labels, weights):
        self.calls += 1
        if str(self.calls) == os.environ.get("KILL_AT_CALL"):
            os.kill(os.getpid(), signal.SIGKILL)
        return (cross_entropy(self(inputs), labels, reduction="none") * weights).mean()


def build_model(inputs, transform, hyperparameters):
    return Network(hyperparameters["classes"])
"""
TRAIN = """
import sys
from pathlib import Path
from components._core.project.project_file import Project
from tests.components.debian_torch import import_torch
from tests.components.small_penguins import Penguins

import_torch()
Penguins(Path(sys.argv[1]), Project.model_validate_json(sys.argv[2])).train("killed")
"""


@pytest.mark.slow
def test_a_stage_that_was_killed_goes_on_and_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"source": "penguins.csv", "exclude": ["island", "sex"]}
    penguins = make_penguins(tmp_path, model=KILLED, framework="torch", train=SETTINGS, data=data)
    command = [sys.executable, "-c", TRAIN, str(tmp_path), penguins.project.to_json()]
    world = {
        **os.environ,
        "KILL_AT_CALL": "100",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
    }  # in the fifth of eight epochs
    done = subprocess.run(command, env=world, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((tmp_path / "store").rglob("*.npz"))) == 1
    resumed = penguins.train("resumed")
    assert not list((tmp_path / "store").rglob("*.npz"))
    monkeypatch.setenv(STORE, str(tmp_path / "another store"))
    whole = penguins.train("whole")
    assert (resumed / "model.onnx").read_bytes() == (whole / "model.onnx").read_bytes()


def test_columns_of_text_are_refused_by_their_names(tmp_path: Path) -> None:
    penguins = make_penguins(tmp_path, model=MODEL, framework="torch", train=SETTINGS)
    with pytest.raises(ConfigError, match="columns of text reach the model: 'island', 'sex'"):
        penguins.train()
