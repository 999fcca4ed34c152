"""A module on columns of numbers as they are, without a preprocessing_fn: transformed, trained and called, with missing values."""

from __future__ import annotations

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


def test_columns_of_text_are_refused_by_their_names(tmp_path: Path) -> None:
    penguins = make_penguins(tmp_path, model=MODEL, framework="torch", train=SETTINGS)
    with pytest.raises(ConfigError, match="columns of text reach the model: 'island', 'sex'"):
        penguins.train()
