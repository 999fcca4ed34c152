"""What every framework of the table promises of a trained model, by whichever framework it was made, in this process and in both real servers.

scikit-learn is looked at in each run of the tests, the others every night.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core import extras
from components._core.checks import Outcome
from components._core.errors import ModelError
from components._core.examples.artifact import read_head
from components._core.files import read_json
from components._core.setting_names import STORE
from components._core.types.artifact_files import IMPORTANCES, OUTCOME
from components._core.types.signature import to_arrays
from components._frameworks.contract import Model
from components._frameworks.table import find_framework, known_frameworks, load_model
from components._predictor.predictor import Predictor
from components.deploy.targets.local.server_process import free_port
from components.evaluate.evaluate import evaluate_model
from components.explain.explain import explain_model
from components.explain.row_explanation import explain_one
from tests.components.debian_torch import REASON, import_torch
from tests.components.frameworks.onnx.onnx_files import sklearn_file
from tests.components.serve.conformance.conftest import KINDS, ready_line
from tests.components.serve.conformance.wires import Rows, SeldonRest, V2Rest
from tests.components.small_penguins import Penguins, make_penguins
from tests.components.wide_network import FEATURES, write_network

NETWORK_PREPROCESSING = """
import tensorflow as tf
import tensorflow_transform as tft

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


def preprocessing_fn(inputs):
    numbers = tf.stack([inputs[name] for name in NUMBERS], axis=1)
    numbers = tf.where(tf.math.is_nan(numbers), tf.zeros_like(numbers), numbers)
    island = tf.where(inputs["island"] == "", "?", inputs["island"])
    return {
        "numbers": tft.scale_to_z_score(numbers, elementwise=True),
        "island": tft.compute_and_apply_vocabulary(island, num_oov_buckets=1),
    }
"""
BOOSTED_PREPROCESSING = """
import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    texts = {
        name: tft.compute_and_apply_vocabulary(tf.where(inputs[name] == "", "?", inputs[name]), num_oov_buckets=1)
        for name in ("island", "sex")
    }
    numbers = {name: tf.cast(values, tf.float32) for name, values in inputs.items() if name not in texts}
    return numbers | texts
"""
KERAS_MODEL = """
import keras


def build_model(inputs, transform, hyperparameters):
    island = keras.layers.Flatten()(keras.layers.Embedding(6, 3)(inputs["island"]))
    hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Concatenate()([inputs["numbers"], island]))
    return keras.Model(inputs, keras.layers.Dense(hyperparameters["classes"], activation="softmax")(hidden))
"""
SKLEARN_MODEL = """
from sklearn.ensemble import HistGradientBoostingClassifier


def build_model(hyperparameters):
    return HistGradientBoostingClassifier(max_iter=30)
"""
TORCH_MODEL = """
import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.islands = nn.Embedding(6, 3)
        self.layers = nn.Sequential(nn.Linear(width + 3, 16), nn.ReLU(), nn.Linear(16, classes))

    def forward(self, inputs):
        return self.layers(torch.cat([inputs["numbers"], self.islands(inputs["island"])], dim=1))


def build_model(inputs, transform, hyperparameters):
    return Network(inputs["numbers"].shape[1], hyperparameters["classes"])
"""
PARAMETERS = "def build_model(hyperparameters):\n    return {'n_estimators': 30, 'learning_rate': 0.2}\n"
NETWORK = {"preprocessing": NETWORK_PREPROCESSING, "train": {"epochs": 60, "batch_size": 16, "patience": 0}}
CODE: dict[str, dict[str, Any]] = {
    "keras": {"model": KERAS_MODEL, **NETWORK},
    "torch": {"model": TORCH_MODEL, **NETWORK},
    "sklearn": {"model": SKLEARN_MODEL},
    "xgboost": {"model": PARAMETERS},
    "lightgbm": {"model": PARAMETERS},
    "onnx": {"model": sklearn_file},
    "sklearn behind preprocessing_fn": {"model": SKLEARN_MODEL, "preprocessing": BOOSTED_PREPROCESSING},
}
STRUCTURE = {"torch": "mean slope"} | dict.fromkeys(("sklearn", "xgboost", "lightgbm"), "gain of the trees")
REPRESENTATIVE = "sklearn"
SEEN = {"island": ["Biscoe", "Nowhere", "?"], "sex": ["female", "", "?"]}


@dataclass(frozen=True)
class Trained:
    """A framework's model of the penguins."""

    framework: str
    penguins: Penguins
    folder: Path

    @cached_property
    def model(self) -> Model:
        return load_model(self.folder)

    @property
    def rows(self) -> dict[str, Any]:
        """Test rows, with missing values."""
        inputs = self.model.signature.inputs
        head = read_head(self.penguins.path("examples"), "test", 30, [feature.name for feature in inputs])
        return to_arrays(head, inputs)


@pytest.fixture(
    scope="module",
    params=[name if name == REPRESENTATIVE else pytest.param(name, marks=pytest.mark.nightly) for name in CODE],
)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    case = str(request.param)
    name = case.split()[0]
    if name == "torch" and not import_torch():
        pytest.skip(REASON)
    lacking = [package for package in find_framework(name).packages if not extras._is_installed(package)]
    if lacking:
        pytest.skip(f"not installed here: {', '.join(lacking)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, str(tmp_path_factory.mktemp("store")))
        code = {key: value() if callable(value) else value for key, value in CODE[case].items()}
        penguins = make_penguins(tmp_path_factory.mktemp(name), framework=name, **code)
        yield Trained(name, penguins, penguins.train())


def test_every_framework_of_the_table_is_looked_at() -> None:
    assert {case.split()[0] for case in CODE} == set(known_frameworks())


def test_a_model_names_its_framework_and_answers_with_probabilities(trained: Trained) -> None:
    signature, answer = trained.model.signature, trained.model.predict(trained.rows)
    assert signature.framework == trained.framework and signature.classes == ("Adelie", "Chinstrap", "Gentoo")
    probabilities = answer["probabilities"]
    assert probabilities.dtype == np.float32 and probabilities.shape == (30, 3)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(30), abs=1e-5)
    assert answer["class"].tolist() == [signature.classes[best] for best in probabilities.argmax(axis=1)]


def test_rows_are_answered_alike_alone_and_together_and_none_gives_none(trained: Trained) -> None:
    together = trained.model.predict(trained.rows)["probabilities"]
    for row in range(0, 30, 7):
        alone = trained.model.predict({name: values[[row]] for name, values in trained.rows.items()})
        assert alone["probabilities"][0] == pytest.approx(together[row], abs=1e-6)
    nothing = trained.model.predict({name: values[:0] for name, values in trained.rows.items()})
    assert nothing["probabilities"].shape == (0, 3) and nothing["class"].shape == (0,)


def test_missing_values_and_texts_never_seen_are_answered(trained: Trained) -> None:
    columns: dict[str, Any] = {
        feature.name: SEEN.get(feature.name, [1, 2, 3] if feature.type.is_whole else [None, 1e6, 40.0])
        for feature in trained.model.signature.inputs
    }
    assert np.isfinite(Predictor(trained.model).predict(columns)["probabilities"]).all()


def test_arrays_that_do_not_fit_are_refused(trained: Trained) -> None:
    with pytest.raises(ModelError, match="feature island: is missing"):
        trained.model.predict({name: values for name, values in trained.rows.items() if name != "island"})
    with pytest.raises(ModelError, match="feature sex: is not string"):
        trained.model.predict(trained.rows | {"sex": np.zeros(30, np.float32)})


def test_training_again_gives_the_same_bytes(trained: Trained) -> None:
    again = trained.penguins.train("again")
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(trained.folder) for path in trained.folder.rglob("*") if path.is_file())
    assert [name for name in files if (again / name).read_bytes() != (trained.folder / name).read_bytes()] == []


def test_a_model_is_evaluated_and_explained(trained: Trained, tmp_path: Path) -> None:
    evaluation, explanation = tmp_path / "evaluation", tmp_path / "explanation"
    for folder in (evaluation, explanation):
        folder.mkdir()
    examples, project = trained.penguins.path("examples"), trained.penguins.project
    given = {"examples": examples, "model": trained.folder, "evaluation": evaluation}
    judged = evaluate_model(project, champion="none", page=tmp_path / "e.html", **given)
    assert judged.scalars["accuracy"] > 0.9
    explain_model(project, explanation=explanation, page=tmp_path / "x.html", **given)
    assert Outcome.load(explanation / OUTCOME).verdict in ("ok", "warn")
    found = read_json(explanation / IMPORTANCES)
    assert found["features"]["bill_length_mm"]["importance"] > 0
    assert ("structure" in found) == (trained.framework in STRUCTURE)
    if "structure" in found:  # of boosted trees by raw column, of networks by what preprocessing_fn makes
        values = found["structure"]["values"]
        assert found["structure"]["method"].startswith(STRUCTURE[trained.framework])
        assert values.get("year", 0) < values["numbers" if trained.framework == "torch" else "bill_length_mm"]


def test_every_variant_answers_like_the_model_or_says_why_it_cannot_be_made(trained: Trained, tmp_path: Path) -> None:
    framework, rows, expected = find_framework(trained.framework), trained.rows, trained.model.predict(trained.rows)
    assert {"folded", "float16", "int8"} <= {kind.name for kind in framework.variants}
    reasons: list[str] = []
    for kind in framework.variants:
        (tmp_path / kind.name).mkdir()
        try:
            framework.make_variant(kind.name, trained.folder, tmp_path / kind.name, rows)
        except ModelError as error:
            reasons.append(error.message)
            continue
        variant = load_model(tmp_path / kind.name)
        found = variant.predict(rows)
        assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=0.1)
        assert found["class"].tolist() == [variant.signature.classes[k] for k in found["probabilities"].argmax(axis=1)]
        nothing = variant.predict({name: values[:0] for name, values in rows.items()})
        assert nothing["probabilities"].shape == (0, 3) and nothing["class"].shape == (0,)
    assert all("needs a product with a constant matrix" in reason or "changes nothing" in reason for reason in reasons)


SECOND = {"keras": "integrated gradients", "torch": "replaced alone", "onnx": "coefficients x values"}
"""By which a row is explained beside Shapley values; of all others the paths of their trees."""


def test_a_row_is_explained_by_two_methods_that_add_up(trained: Trained) -> None:
    rows = trained.rows
    row, background = ({name: values[part] for name, values in rows.items()} for part in (slice(0, 1), slice(1, 30)))
    found = explain_one(trained.model, row, background, seed=7)
    assert found.shapley.is_exact
    assert sum(found.shapley.values.values()) == pytest.approx(found.shapley.score - found.shapley.base, abs=1e-6)
    assert found.shapley.score == pytest.approx(float(trained.model.predict(row)["probabilities"].max()), abs=1e-5)
    assert found.second.name == SECOND.get(trained.framework, "paths of the trees")
    if found.second.adds_up:
        allowed = 0.05 if trained.framework == "keras" else 1e-4
        assert sum(found.second.values.values()) == pytest.approx(found.second.difference, abs=allowed)


class _V2(V2Rest):
    """Types by the values: texts, whole numbers, real ones."""

    def body(self, rows: Rows, id: str = "") -> Any:
        return {
            "inputs": [
                {"name": name, "datatype": _datatype(data[0]), "shape": [len(data)], "data": data}
                for name, data in rows.items()
            ]
        }


def _datatype(value: Any) -> str:
    return {str: "BYTES", int: "INT64"}.get(type(value), "FP32")


CLIENTS = {"v2": _V2, "seldon": SeldonRest}


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["v2", pytest.param("seldon", marks=pytest.mark.nightly)])
def test_a_server_answers_with_a_variant_alone_and_together(protocol: str, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    rows = {feature.name: random.normal(size=8).astype(np.float32) for feature in FEATURES}
    (tmp_path / "variant").mkdir()
    framework, model = find_framework("onnx"), write_network(tmp_path / "model")
    framework.make_variant("int8", model, tmp_path / "variant", rows)
    expected = load_model(tmp_path / "variant").predict(rows)["probability"]
    assert np.abs(expected - load_model(model).predict(rows)["probability"]).max() > 1e-4
    port = free_port()
    process = KINDS[protocol].start(
        tmp_path / "variant", "--grpc-port", str(free_port()), "--metrics-port", str(free_port()), port=port
    )
    try:
        ready_line(process)
        client = CLIENTS[protocol](f"http://127.0.0.1:{port}")
        together = client.ask({name: values.tolist() for name, values in rows.items()})
        assert np.array(together.outputs["probability"]) == pytest.approx(expected, abs=1e-6)
        alone = client.ask({name: values[5:6].tolist() for name, values in rows.items()})
        assert np.array(alone.outputs["probability"]) == pytest.approx(expected[5:6], abs=1e-6)
    finally:
        process.terminate()
        process.communicate(timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["v2", pytest.param("seldon", marks=pytest.mark.nightly)])
def test_a_server_gives_the_answers_of_the_model(trained: Trained, protocol: str) -> None:
    port = free_port()
    process = KINDS[protocol].start(
        trained.folder, "--grpc-port", str(free_port()), "--metrics-port", str(free_port()), port=port
    )
    try:
        ready_line(process)
        known = np.flatnonzero(~np.isnan(trained.rows["bill_length_mm"]))[:10]
        rows = {name: values[known] for name, values in trained.rows.items()}
        answer = CLIENTS[protocol](f"http://127.0.0.1:{port}").ask(
            {name: values.tolist() for name, values in rows.items()}
        )
        expected = trained.model.predict(rows)
        assert np.array(answer.outputs["probabilities"]) == pytest.approx(expected["probabilities"], abs=1e-6)
        assert answer.outputs["class"] == expected["class"].tolist()
    finally:
        process.terminate()
        process.communicate(timeout=120)
