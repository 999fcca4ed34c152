from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from components._core.checks import Outcome
from components._core.errors import ModelError, UserCodeError
from components._core.examples.artifact import read_head
from components._core.files import fingerprint_folder, read_json
from components._core.project.project_file import Project
from components._core.report.page import Page
from components._core.setting_names import STORE
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import to_arrays
from components._frameworks.contract import Progress
from components._frameworks.table import load_model
from components.train.checkpoints import Checkpoint
from components.train.train import train_model
from tests.components.small_flights import SHARES, Small, code_archive, small_project

MODEL = "import keras\ndef build_model(inputs, transform, hyperparameters):\n"
NUMBERS = "    numbers = keras.layers.Concatenate()([inputs[name] for name in ('dep_delay', 'distance')])\n"


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    return tmp_path / "store"


def train(small: Small, project: Project | None = None, **others: Path) -> tuple[Outcome, Path, Path]:
    model, history = small.new("model"), small.new("history")
    outcome = train_model(project or small.project, **small.before("train", **others), model=model, history=history)
    return outcome, model, history


def scores(model: Path, rows: pa.Table) -> np.ndarray:
    loaded = load_model(model)
    return loaded.predict(to_arrays(rows, loaded.signature.inputs))["probability"]


def test_raw_rows_through_the_saved_model_score_as_transformed_rows_did_while_training(small: Small):
    rows = read_head(small.path("examples"), "eval", SHARES["eval"])
    probability = scores(small.path("model"), rows).astype(np.float64)
    late = rows["late"].to_numpy()
    loss = -np.mean(np.where(late == 1, np.log(probability), np.log1p(-probability)))
    history = read_json(small.path("history") / "history.json")
    assert loss == pytest.approx(history["epochs"][history["best_epoch"] - 1]["eval_loss"], abs=1e-5)


def test_it_has_learnt_something(small: Small):
    assert read_json(small.path("history") / "history.json")["epochs"][-1]["eval_auc"] > 0.8


def test_a_missing_and_an_unknown_value_are_served(small: Small):
    rows = read_head(small.path("examples"), "test", 2)
    rows = rows.set_column(rows.column_names.index("dep_delay"), "dep_delay", pa.array([None, 3.0], pa.float32()))
    rows = rows.set_column(rows.column_names.index("carrier"), "carrier", pa.array([None, "none such"]))
    assert np.isfinite(scores(small.path("model"), rows)).all()


def test_the_saved_model_holds_the_weights_once_and_nothing_of_the_optimizer(small: Small):
    variables = dict(tf.train.list_variables(str(small.path("model") / SAVED_MODEL / "variables" / "variables")))
    variables.pop("_CHECKPOINTABLE_OBJECT_GRAPH")
    assert len(variables) == len(set(variables)) > 0
    assert all(name.startswith("weights/") for name in variables), variables


OWN = """import keras
import tensorflow as tf

class Own(keras.layers.Layer):
    def build(self, shape):
        keys = tf.lookup.KeyValueTensorInitializer(tf.range(24, dtype=tf.int64), tf.linspace(0.0, 1.0, 24))
        self.held = HELD tf.lookup.StaticHashTable(keys, 0.5) HELD_END
        self.scale = tf.Variable(2.0)

    def call(self, hours):
        table = self.held[0] if isinstance(self.held, list) else self.held
        return self.scale * table.lookup(hours)[:, None]

    def compute_output_spec(self, hours):
        return keras.KerasTensor((hours.shape[0], 1))

def build_model(inputs, transform, hyperparameters):
"""
JOIN = "    hours = Own()(inputs['hour'])\n    joined = keras.layers.Concatenate()([numbers, hours])\n"
JOIN += "    return keras.layers.Dense(1, 'sigmoid')(joined)\n"


def own_layer(held: str, held_end: str) -> str:
    return OWN.replace("HELD_END", held_end).replace("HELD", held) + NUMBERS + JOIN


@pytest.mark.slow
def test_a_variable_and_a_table_of_a_layers_own_are_served(small: Small, tmp_path: Path):
    _, model, _ = train(small, code=code_archive(tmp_path, model=own_layer("", "")))
    assert np.isfinite(scores(model, read_head(small.path("examples"), "test", 50))).all()


@pytest.mark.slow
def test_a_table_that_only_a_list_holds_cannot_be_saved_and_says_so(small: Small, tmp_path: Path):
    with pytest.raises(ModelError, match="cannot be saved: a layer of it uses what it does not hold"):
        train(small, code=code_archive(tmp_path, model=own_layer("[", "]")))


@pytest.mark.slow
def test_a_server_needs_no_tensorflow_transform(small: Small):
    blocked = "import sys; sys.modules.update(dict.fromkeys(['tensorflow_transform', 'tfx_bsl', 'apache_beam']))"
    script = (
        "import pathlib; from components._frameworks.table import load_model;"
        "from components._core.examples.artifact import read_head; from components._core.types.signature import to_arrays;"
        "root = pathlib.Path(sys.argv[1]); loaded = load_model(root / 'model');"
        "rows = to_arrays(read_head(root / 'examples', 'test', 20), loaded.signature.inputs);"
        "print(repr(loaded.predict(rows)['probability'].tolist()))"
    )
    command = [sys.executable, "-c", f"{blocked}\n{script}", str(small.root)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    here = scores(small.path("model"), read_head(small.path("examples"), "test", 20)).tolist()
    assert answer.stdout.strip() == repr(here)


@pytest.mark.slow
def test_a_killed_fit_goes_on_and_ends_in_the_same_model(small: Small, store: Path, monkeypatch: pytest.MonkeyPatch):
    keep = Checkpoint.save

    def keep_and_die(self: Checkpoint, progress: Progress) -> None:
        keep(self, progress)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", keep_and_die)
        with pytest.raises(KeyboardInterrupt):
            train(small)
    (checkpoint,) = store.rglob("*.npz")
    assert len(Checkpoint(str(checkpoint)).load().epochs) == 1
    _, model, history = train(small)
    assert fingerprint_folder(model) == fingerprint_folder(small.path("model"))
    assert fingerprint_folder(history) == fingerprint_folder(small.path("history"))
    assert not checkpoint.exists()


@pytest.mark.slow
def test_another_process_makes_the_same_bytes(small: Small, tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from components.train.train import train_model;"
        "from tests.components.small_flights import Small, small_project;"
        "small = Small(Path(sys.argv[1]), small_project()); out = Path(sys.argv[2]);"
        "train_model(small.project, **small.before('train'), model=out / 'model', history=out / 'history')"
    )
    for name in ("model", "history"):
        (tmp_path / name).mkdir()
    root = str(Path(__file__).parents[3])
    subprocess.run([sys.executable, "-c", script, str(small.root), str(tmp_path)], check=True, cwd=root)
    assert fingerprint_folder(tmp_path / "model") == fingerprint_folder(small.path("model"))
    assert fingerprint_folder(tmp_path / "history") == fingerprint_folder(small.path("history"))


def test_a_damaged_checkpoint_is_left_aside(store: Path, capsys: pytest.CaptureFixture[str]):
    checkpoint = Checkpoint.of(str(store), "flights", "f" * 32)
    checkpoint.save(Progress([{"eval_loss": 1.0}], 3, 0, [np.ones(2)], [np.zeros(1)]))
    assert checkpoint.load().steps == 3
    file = Path(checkpoint.uri)
    file.write_bytes(file.read_bytes()[:100])
    assert checkpoint.load() is None
    assert "damaged checkpoint" in capsys.readouterr().err


def test_checkpoints_that_nobody_took_up_for_a_week_go_with_the_next_fit_that_ends(store: Path):
    folder = store / "flights" / "checkpoints"
    own = Checkpoint.of(str(store), "flights", "a" * 32)
    own.remove_abandoned()
    for name in ("b.npz", "c.npz", "d.npz.1234.partial", ".e.npz.0123456789abcdef", "notes.txt"):
        Checkpoint(str(folder / name)).save(Progress([{"eval_loss": 1.0}], 3, 0, [np.ones(2)], [np.zeros(1)]))
        age = 0 if name == "b.npz" else 8 * 24 * 3600
        os.utime(folder / name, (time.time() - age,) * 2)
    own.remove_abandoned()
    assert {path.name for path in folder.iterdir()} == {"b.npz", "notes.txt"}


@pytest.mark.slow
def test_steps_end_the_fit_before_the_epochs_do(small: Small):
    outcome, _, _ = train(small, small_project(steps=5))
    assert outcome.metrics["steps"] == 5 and outcome.metrics["epochs"] == 1


@pytest.mark.slow
def test_it_stops_early_when_the_eval_loss_no_longer_falls(small: Small, tmp_path: Path):
    (tmp_path / "hyperparameters.json").write_text('{"learning_rate": 0.0, "embedding": 2}')
    outcome, _, history = train(small, small_project(epochs=9, patience=2), hyperparameters=tmp_path)
    assert outcome.metrics["epochs"] == 3 and "stopped early after 3 epochs" in outcome.reason
    assert read_json(history / "history.json")["best_epoch"] == 1


def test_the_page_shows_a_curve_for_every_metric(small: Small):
    page = Page.load(small.path("history"))
    assert {"loss", "auc", "accuracy"} <= {block.title for block in page.blocks if block.kind == "figure"}


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (
            "    return keras.layers.Dense(3, 'softmax')(numbers)",
            ModelError,
            r"gives \[rows, 3\], expected is \[rows, 1\]",
        ),
        (
            "    return keras.layers.Dense(1, bias_initializer='ones', use_bias=True)(numbers) * 9 + 50",
            ModelError,
            "sigmoid",
        ),
        ("    return keras.layers.Dense(1, 'sigmoid')(keras.ops.log(numbers * 0 - 1))", ModelError, "NaN or infinity"),
        ("    pass", UserCodeError, "returned nothing"),
        ("    return numbers / undefined", UserCodeError, "line 4, in build_model.*undefined"),
        ("    return inputs['no_such_feature']", UserCodeError, "no_such_feature"),
        ("    own = keras.Input((1,), name='own')\n    return keras.Model(own, own)", UserCodeError, "takes own"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(small: Small, tmp_path: Path, body: str, error: type, message: str):
    archive = code_archive(tmp_path, model=f"{MODEL}{NUMBERS}{body}\n")
    with pytest.raises(error, match=f"(?s){message}"):
        train(small, code=archive)


def test_a_loss_that_is_no_number_ends_the_fit_with_its_epoch(small: Small, tmp_path: Path):
    body = "    model = keras.Model(inputs, keras.layers.Dense(1, 'sigmoid')(numbers))\n"
    body += "    model.compile('sgd', loss=lambda truth, score: keras.ops.log(score - 2.0))\n    return model\n"
    with pytest.raises(ModelError, match="the loss of epoch 1 is nan"):
        train(small, code=code_archive(tmp_path, model=f"{MODEL}{NUMBERS}{body}"))
