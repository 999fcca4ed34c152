"""The fit of a module: it learns, ends equally after a kill, weighs classes, stops early and refuses a loss that is not a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.components.debian_torch import REASON

pytest.importorskip("torch", reason=REASON)

import torch
from torch import nn

from components._core.errors import ModelError, UserCodeError
from components._core.project.train_config import Train
from components._core.types.tasks import TASKS
from components._frameworks.contract import ModelCode, Progress, TrainingData
from components._frameworks.torch.build_model import build
from components._frameworks.torch.fit import choose_device
from components._frameworks.torch.trainable_model import TorchModel
from components.train.checkpoints import Checkpoint
from tests.components.frameworks.torch.conftest import Write

BINARY = "binary_classification"
ROWS = 403


class Net(nn.Module):
    """Dropout draws numbers in each step, batch normalisation has buffers, an embedding takes indices."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Embedding(4, 3)
        self.hidden = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
        self.last = nn.Linear(16, 1)

    def forward(self, inputs: dict[str, Any]) -> Any:
        joined = torch.cat([inputs["x"], inputs["pair"], self.places(inputs["place"])], dim=1)
        return self.last(self.hidden(joined))


class Scheduled(Net):
    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)


class Plateau(Net):
    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=0.05)
        return optimizer, torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)


class OwnStep(Net):
    def training_step(self, inputs: Any, labels: Any, weights: Any) -> Any:
        noisy = inputs | {"x": inputs["x"] + 0.01 * torch.randn_like(inputs["x"])} if self.training else inputs
        losses = nn.functional.binary_cross_entropy_with_logits(self(noisy)[:, 0], labels.float(), reduction="none")
        return (losses * weights).mean()


@pytest.fixture
def data(write: Write) -> TrainingData:
    random = np.random.default_rng(5)
    x, place = random.normal(size=ROWS).astype(np.float32), random.integers(0, 4, ROWS)
    pair = random.normal(size=(ROWS, 2)).astype(np.float32)
    labels = (x + pair[:, 1] + (place == 2) + random.normal(0, 0.3, ROWS) > 0.4).astype(np.int64)
    return write({"x": x, "place": place, "pair": pair}, labels)


def make(data: TrainingData, code: ModelCode, kind: type, task: str = BINARY, **values: Any) -> TorchModel:
    classes = ["no", "yes"] if task == BINARY else []
    given = {"task": TASKS[task], "classes": classes}
    built = build(lambda inputs, transform, hyperparameters: kind(), code, data, None, values, **given, seed=3)
    return TorchModel(built, code, data, TASKS[task], classes)


def test_it_learns_and_keeps_the_best_epoch(data: TrainingData, code: ModelCode) -> None:
    model = make(data, code, Net, learning_rate=0.02)
    progress = model.fit(data, Train(epochs=12, batch_size=50, patience=0))
    losses = [epoch["eval_loss"] for epoch in progress.epochs]
    assert len(losses) == 12 and progress.steps == 12 * 9
    assert progress.best_epoch == int(np.argmin(losses)) and losses[progress.best_epoch] < 0.5 * losses[0]
    assert set(progress.epochs[0]) == {
        f"{split}{name}" for split in ("", "eval_") for name in ("loss", "auc", "accuracy")
    }
    features, labels = data.held_out.head(ROWS)
    scores = model._score(features)
    assert TASKS[BINARY].measure(labels, scores)["auc"] == pytest.approx(
        progress.epochs[progress.best_epoch]["eval_auc"]
    )
    log_loss = -np.mean(np.log(np.where(labels == 1, scores, 1 - scores)))
    assert log_loss == pytest.approx(losses[progress.best_epoch], rel=1e-5)


@pytest.mark.parametrize("kind", [Net, Scheduled, Plateau, OwnStep])
def test_a_fit_that_was_killed_ends_with_equal_weights(
    data: TrainingData, code: ModelCode, kind: type, tmp_path: Path
) -> None:
    settings = Train(epochs=5, batch_size=50, patience=0)
    checkpoint = Checkpoint(str(tmp_path / "checkpoint.npz"))

    def kill(progress: Progress) -> bool:
        checkpoint.save(progress)
        return len(progress.epochs) == 2

    whole = make(data, code, kind)
    expected = whole.fit(data, settings)
    make(data, code, kind).fit(data, settings, after_epoch=kill)
    resumed = make(data, code, kind)
    found = resumed.fit(data, settings, progress=checkpoint.load())
    assert found.epochs == expected.epochs and found.steps == expected.steps
    for some, others in ((found.best, expected.best), (found.variables, expected.variables)):
        assert len(some) == len(others) and all(map(np.array_equal, some, others))


def test_other_seeds_give_other_weights(data: TrainingData, code: ModelCode) -> None:
    losses = [make(data, code, Net).fit(data, Train(epochs=1, seed=seed)).epochs for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_a_scheduler_lowers_the_rate_after_each_epoch(data: TrainingData, code: ModelCode) -> None:
    model = make(data, code, Scheduled)
    model.fit(data, Train(epochs=3, patience=0))
    assert model._built.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / 8)


def test_it_stops_when_the_eval_loss_does_not_improve(data: TrainingData, code: ModelCode) -> None:
    progress = make(data, code, Net, learning_rate=0.0).fit(data, Train(epochs=30, patience=2))
    assert len(progress.epochs) < 30
    assert len(progress.epochs) == progress.best_epoch + 3


def test_it_ends_at_the_number_of_steps(data: TrainingData, code: ModelCode) -> None:
    progress = make(data, code, Net).fit(data, Train(epochs=9, steps=11, batch_size=50, patience=0))
    assert progress.steps == 11 and len(progress.epochs) == 2


def test_a_last_batch_of_one_row_is_left_to_the_next_epoch_by_batch_normalisation(
    data: TrainingData, code: ModelCode
) -> None:
    progress = make(data, code, Net).fit(data, Train(epochs=1, batch_size=201))
    assert progress.steps == 2  # 403 rows: the third batch has one


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: dict[str, Any]) -> Any:
        return self.value + 0 * inputs["x"]


@pytest.mark.parametrize("weights", [None, [1.0, 49.0]])
def test_a_weighted_class_counts_as_often_as_its_weight_says(
    write: Write, code: ModelCode, weights: list[float] | None
) -> None:
    labels = np.random.default_rng(2).permutation(np.arange(1_000) % 50 == 0).astype(np.int64)
    given = None if weights is None else np.array(weights, np.float32)
    data = write({"x": np.zeros(1_000, np.float32)}, labels, class_weights=given)
    model = make(data, code, Constant, learning_rate=0.1)
    progress = model.fit(data, Train(epochs=12, batch_size=33, patience=0))
    constant = float(model._score({"x": np.zeros(1, np.float32)})[0])
    assert constant == pytest.approx(0.02 if weights is None else 0.5, abs=0.1)
    _, held_out = data.held_out.head(1_000)
    own = np.where(held_out == 1, constant, 1 - constant)
    factor = 1.0 if weights is None else np.array(weights)[held_out]
    assert progress.epochs[progress.best_epoch]["eval_loss"] == pytest.approx(np.mean(-np.log(own) * factor), rel=1e-4)


@pytest.mark.parametrize("task", ["regression", "multiclass_classification"])
def test_other_tasks_have_their_loss_and_metrics(write: Write, code: ModelCode, task: str) -> None:
    x = np.random.default_rng(1).normal(size=300).astype(np.float32)
    is_number = task == "regression"
    data = write({"x": x}, 3 * x if is_number else (x > 0).astype(np.int64) + (x > 0.5))
    classes = [] if is_number else ["a", "b", "c"]
    given = {"task": TASKS[task], "classes": classes}
    function = lambda inputs, transform, values: Linear(values.get("classes", 1))  # noqa: E731
    built = build(function, code, data, None, {"learning_rate": 0.1}, **given, seed=1)
    model = TorchModel(built, code, data, TASKS[task], classes)
    progress = model.fit(data, Train(epochs=15, batch_size=20, patience=0))
    best = progress.epochs[progress.best_epoch]
    features, labels = data.held_out.head(300)
    scores = model._score(features)
    if is_number:
        assert (
            best["eval_loss"] == pytest.approx(np.mean((scores - labels) ** 2), rel=1e-4, abs=1e-9)
            and best["eval_mae"] < 0.1
        )
    else:
        own = scores[np.arange(len(labels)), labels]
        assert best["eval_loss"] == pytest.approx(-np.mean(np.log(own)), rel=1e-4) and best["eval_accuracy"] > 0.7


class Linear(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.last = nn.Linear(1, units)

    def forward(self, inputs: dict[str, Any]) -> Any:
        return self.last(inputs["x"])


def test_a_loss_that_is_not_a_number_is_an_error(data: TrainingData, code: ModelCode) -> None:
    with pytest.raises(ModelError, match=r"the (eval )?loss of epoch \d+ is nan"):
        make(data, code, Exploding).fit(data, Train(epochs=3, batch_size=50))


class Exploding(Net):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1e30)


class Wrong(Net):
    def training_step(self, inputs: Any, labels: Any, weights: Any) -> Any:
        return self(inputs)


class Failing(Net):
    def forward(self, inputs: dict[str, Any]) -> Any:
        if self.training:
            raise RuntimeError("no such luck")
        return super().forward(inputs)


class Overdone(Net):
    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Overdone, "the model, in epoch 3, failed: ValueError: Tried to step"),
        (Wrong, r"training_step returned a tensor \[50, 1\]; must be the mean loss"),
        (Failing, "the model, in epoch 1, failed: RuntimeError: no such luck"),
    ],
)
def test_what_fails_in_a_fit_is_an_error_of_the_model(
    data: TrainingData, code: ModelCode, kind: type, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        make(data, code, kind).fit(data, Train(batch_size=50))


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_a_gpu_is_used_where_pytorch_sees_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: kind == "cuda")
    assert choose_device().type == kind


def test_a_state_that_a_checkpoint_cannot_keep_is_refused(data: TrainingData, code: ModelCode) -> None:
    model = make(data, code, Scheduled)
    model._built.scheduler.own = object()
    with pytest.raises(UserCodeError, match="holds a object, which a checkpoint cannot keep"):
        model.fit(data, Train(epochs=1))
