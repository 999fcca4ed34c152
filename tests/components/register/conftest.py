"""A finished run to register, with one MLflow database for all tests: making its tables takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Outcome
from components._core.examples.artifact import Manifest
from components._core.examples.reference_rows import Reference
from components._core.files import write_json, write_text
from components._core.types.artifact_files import REFERENCE, REQUEST
from components.register.register import register_model
from tests.components.tiny_models import tiny_project, write_examples, write_model

Register = Callable[..., Outcome]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store and database of the session."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the stages before left."""
    folder = tmp_path_factory.mktemp("made")
    parts = {name: folder / name for name in ("statistics", "schema", "hyperparameters", "evaluation", "explanation")}
    for part in parts.values():
        part.mkdir()
    write_text(parts["statistics"] / "statistics.binpb", "statistics")
    write_text(parts["schema"] / "schema.pbtxt", "schema")
    write_json(parts["hyperparameters"] / "hyperparameters.json", {"learning_rate": 0.01, "units": "64 32"})
    write_text(parts["evaluation"] / "sample.parquet", "rows and answers")
    write_text(folder / "code", "archive")
    Outcome("ok", "good", (), {"auc": 0.9, "f1 (0.5)": 0.8}).save(parts["evaluation"] / "outcome.json")
    Outcome("ok", "explained").save(parts["explanation"] / "outcome.json")
    model = folder / "model"
    model.mkdir()
    write_model(model, "binary_classification")
    examples = write_examples(folder / "examples", "binary_classification", rows=50)
    Manifest.load(examples).save(parts["evaluation"])
    write_json(parts["evaluation"] / REQUEST, {"inputs": []})
    Reference({"delay": 1.0, "carrier": "AA"}, {"delay": (0.0, 9.0)}).save(parts["evaluation"] / REFERENCE)
    return {
        **parts,
        "code": folder / "code",
        "model": model,
    }


@pytest.fixture
def register(made: dict[str, Path], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register the finished run; each call's artifact lies in tmp_path / "registration"."""
    monkeypatch.setenv("NARU_STORE", str(home / "store"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(name: str, run: str = "run-1", to: str = "registration", **changed: Any) -> Outcome:
        project = tiny_project().model_copy(update={"name": name})
        (tmp_path / to).mkdir()
        given = {"code_fingerprint": "c" * 32, "code_commit": "", **made, **changed}
        return register_model(project, run=run, registration=tmp_path / to, **given)

    return run
