"""What build_model may return, and what is exported: the module's answers under the task's names, in equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.components.debian_torch import REASON

pytest.importorskip("torch", reason=REASON)

import torch
from torch import nn

from components._core.errors import ConfigError, ModelError, NaruError, UserCodeError
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Model, ModelCode, TrainingData
from components._frameworks.table import load_model
from components._frameworks.torch.build_model import build
from components._frameworks.torch.trainable_model import TorchModel
from tests.components.frameworks.torch.conftest import Write

ROWS = 120
CLASSES = {"binary_classification": ["n", "y"], "multiclass_classification": ["a", "b", "c"], "regression": []}
BINARY = "binary_classification"


class Module(nn.Module):
    """A module whose forward is given.

    Args:
        forward: Called with the module and the inputs.
        units: Numbers that it gives.
    """

    def __init__(self, forward: Callable[[Any, Any], Any], units: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(1, units)
        self.kinds = nn.Embedding(5, units)
        self.own_forward = forward

    def forward(self, inputs: dict[str, Any]) -> Any:
        return self.own_forward(self, inputs)


def usual(module: Any, inputs: Any) -> Any:
    return module.linear(inputs["x"]) + module.kinds(inputs["kind"])


@pytest.fixture
def data(write: Write) -> TrainingData:
    random = np.random.default_rng(5)
    kind = random.integers(0, 5, ROWS)
    return write({"x": random.normal(size=ROWS).astype(np.float32), "kind": kind}, (kind > 2).astype(np.int64))


def make(data: TrainingData, code: ModelCode, forward: Any = usual, task: str = BINARY, **values: Any) -> TorchModel:
    units = TASKS[task].units(CLASSES[task])
    function = forward if isinstance(forward, type) else lambda inputs, transform, given: Module(forward, units)
    given = {"task": TASKS[task], "classes": CLASSES[task]}
    return TorchModel(build(function, code, data, None, values, **given, seed=3), code, data, **given)


def signature(task: str = BINARY) -> Signature:
    inputs = (Feature("x", "float32", nullable=True), Feature("kind", "int64", nullable=False))
    return Signature(task, inputs, TASKS[task].output_types, tuple(CLASSES[task]), "torch")


def export(model: TorchModel, folder: Path, task: str = BINARY) -> Model:
    folder.mkdir()
    model.export(signature(task), folder)
    return load_model(folder)


@pytest.mark.parametrize("task", CLASSES)
def test_the_exported_model_gives_the_scores_of_the_module(
    task: str, data: TrainingData, code: ModelCode, tmp_path: Path
) -> None:
    model = make(data, code, task=task)
    features, _ = data.train.head(ROWS)
    answer = export(model, tmp_path / "model", task).predict(features)
    inputs = {"x": torch.tensor(features["x"])[:, None], "kind": torch.tensor(features["kind"])}
    outputs = model._built.module(inputs).detach()
    score = answer[TASKS[task].score]
    assert score.dtype == np.float32
    if task == "regression":
        assert score == pytest.approx(outputs[:, 0].numpy(), abs=1e-6)
    elif task == BINARY:
        assert score == pytest.approx(1 / (1 + np.exp(-outputs[:, 0].numpy())), abs=1e-6)
    else:
        odds = np.exp(outputs.numpy())
        assert score == pytest.approx(odds / odds.sum(axis=1, keepdims=True), abs=1e-6)
        assert answer["class"].tolist() == [CLASSES[task][best] for best in score.argmax(axis=1)]


def test_equal_modules_give_equal_bytes(data: TrainingData, code: ModelCode, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(make(data, code), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["model.onnx", "sha256.json", "signature.json", "structure.json"]
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


def test_features_that_are_not_used_are_named_and_still_taken(
    data: TrainingData, code: ModelCode, tmp_path: Path
) -> None:
    model = make(data, code, lambda module, inputs: module.linear(inputs["x"]))
    assert model.unused_columns() == ["kind"] and make(data, code).unused_columns() == []
    answer = export(model, tmp_path / "model").predict({"x": np.zeros(2, np.float32), "kind": np.array([9, 1])})
    assert answer["probability"][0] == answer["probability"][1]


def test_parts_are_described(data: TrainingData, code: ModelCode) -> None:
    model = make(data, code, task="multiclass_classification")
    parts = [(part.name, part.kind, part.output, part.parameters) for part in model.layers()]
    assert parts == [("linear", "Linear", "(None, 3)", 6), ("kinds", "Embedding", "(None, 3)", 15)]
    assert model.count_parameters() == 21


def weighed(module: Any, inputs: Any) -> Any:
    return 3 * inputs["x"] + 0 * module.linear(inputs["x"]) + module.kinds(inputs["kind"])


def test_slopes_say_how_much_a_feature_counts(data: TrainingData, code: ModelCode, tmp_path: Path) -> None:
    model = make(data, code, weighed)
    found = export(model, tmp_path / "model").structure_importance()
    assert found is not None and found.raw
    features, _ = data.train.head(ROWS)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0)).numpy()
    embedding = model._built.module.kinds.weight.detach().numpy()[:, 0]
    kinds, x = embedding[features["kind"]], features["x"]
    expected = {"x": 3 * np.abs(x[order] - x).mean(), "kind": np.abs(kinds[order] - kinds).mean()}
    assert found.values == pytest.approx(expected, rel=1e-5)


def test_slopes_say_nothing_where_an_index_has_none(data: TrainingData, code: ModelCode, tmp_path: Path) -> None:
    model = make(data, code, lambda module, inputs: module.linear(inputs["x"] + inputs["kind"].float()[:, None]))
    assert export(model, tmp_path / "model").structure_importance() is None


def writing(module: Any, inputs: Any) -> Any:
    inputs["x"].mul_(2)
    return usual(module, inputs)


def test_a_module_may_write_into_what_it_is_given(data: TrainingData, code: ModelCode, tmp_path: Path) -> None:
    model = make(data, code, writing)
    before, _ = data.held_out.head(ROWS)
    copies = {name: values.copy() for name, values in before.items()}
    scores = [model._score(before) for _ in range(2)]
    assert np.array_equal(*scores) and all(np.array_equal(before[name], copies[name]) for name in before)
    found = export(model, tmp_path / "model").structure_importance()
    assert found is not None and found.values["x"] > 0


def mixing(module: Any, inputs: Any) -> Any:
    return usual(module, inputs) * 9 - usual(module, inputs).mean()


def branching(module: Any, inputs: Any) -> Any:
    return usual(module, inputs) * (50 if len(inputs["x"]) > 2 else 1)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (mixing, "gives a row another score alone than among others"),
        (branching, "does not give the scores of the module of build_model"),
    ],
)
def test_a_module_that_is_exported_wrongly_is_refused(
    forward: Any, message: str, data: TrainingData, code: ModelCode, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        export(make(data, code, forward), tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def raising(module: Any, inputs: Any) -> Any:
    return inputs["y"]


class NoParameters(nn.Module):
    def __init__(self, *_: Any) -> None:
        super().__init__()

    def forward(self, inputs: Any) -> Any:
        return inputs["x"]


class BadOptimizer(Module):
    def __init__(self, *_: Any) -> None:
        super().__init__(usual)

    def configure_optimizers(self) -> Any:
        return "adam"


@pytest.mark.parametrize(
    ("forward", "error", "message"),
    [
        (raising, UserCodeError, "the module of build_model failed: KeyError"),
        (lambda m, i: {"y": i["x"]}, ModelError, "gives a dict, not a tensor"),
        (lambda m, i: m.linear(i["x"]).repeat(1, 2), ModelError, r"gives \[rows, 2\], expected is \[rows, 1\]"),
        (lambda m, i: m.linear(i["x"]) / 0, ModelError, "gives NaN or infinity before training"),
        (lambda m, i: torch.sigmoid(usual(m, i)).reshape(-1), ModelError, "ends in sigmoid, which Naru adds behind it"),
        (lambda m, i: torch.special.erfcx(usual(m, i)), UserCodeError, "cannot be exported to ONNX: .*erfcx"),
        (NoParameters, UserCodeError, "has no parameters to train"),
        (BadOptimizer, UserCodeError, "configure_optimizers returned a str"),
        (dict, UserCodeError, "build_model failed: TypeError"),
    ],
)
def test_what_cannot_be_fitted_or_exported_is_refused_before_the_fit(
    forward: Any, error: type[NaruError], message: str, data: TrainingData, code: ModelCode
) -> None:
    with pytest.raises(error, match=message):
        make(data, code, forward)


def test_probabilities_of_classes_are_refused(data: TrainingData, code: ModelCode) -> None:
    with pytest.raises(ModelError, match="ends in softmax"):
        make(data, code, lambda m, i: usual(m, i).softmax(dim=1), "multiclass_classification")


@pytest.mark.parametrize("returned", [None, 3])
def test_anything_but_a_module_is_refused(returned: Any, data: TrainingData, code: ModelCode) -> None:
    with pytest.raises(UserCodeError, match=r"build_model returned (nothing|a int)"):
        build(lambda *_: returned, code, data, None, {}, task=TASKS[BINARY], classes=["n", "y"], seed=1)


def test_texts_need_a_preprocessing_fn(write: Write, code: ModelCode) -> None:
    data = write({"x": np.zeros(9, np.float32), "town": np.array(["a"] * 9, object)}, np.zeros(9, np.int64))
    with pytest.raises(ConfigError, match="columns of text reach the model: 'town'"):
        make(data, code)


def test_a_learning_rate_that_cannot_be_one_is_refused(data: TrainingData, code: ModelCode) -> None:
    with pytest.raises(ConfigError, match="found 'high'; must be a number"):
        make(data, code, learning_rate="high")


def test_build_model_gets_tensors_the_number_of_classes_and_hyperparameters(
    data: TrainingData, code: ModelCode
) -> None:
    got: dict[str, Any] = {}

    def function(inputs: Any, transform: Any, hyperparameters: Any) -> Any:
        got.update(inputs=inputs, transform=transform, hyperparameters=hyperparameters)
        return Module(usual, 3)

    task = TASKS["multiclass_classification"]
    build(function, code, data, None, {"width": 8}, task=task, classes=["a", "b", "c"], seed=1)
    assert got["hyperparameters"] == {"width": 8, "classes": 3} and got["transform"] is None
    assert {name: list(tensor.shape) for name, tensor in got["inputs"].items()} == {"x": [ROWS, 1], "kind": [ROWS]}
