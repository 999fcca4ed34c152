"""A registered version of a tiny model, without MLflow's record: deploy reads `registration.json` and the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Outcome
from components._core.examples.artifact import Manifest, read_head
from components._core.examples.samples import Sample
from components._core.files import write_json
from components._core.project.project_file import Project
from components._core.report.page import Page
from components._core.store.ledger import Deployment, append_deployment, current_champion
from components._core.store.object_store import absolute_uri, upload
from components._core.types.artifact_files import COMPARED, SAMPLE
from components._core.types.signature import to_arrays
from components._frameworks.table import load_model
from components.deploy.deploy import deploy_version
from tests.components.tiny_models import FEATURES, tiny_project, write_examples, write_model

Deploy = Callable[..., Outcome]


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_examples(tmp_path_factory.mktemp("examples"), "binary_classification")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), "binary_classification")


@pytest.fixture(scope="session")
def evaluation(examples: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What evaluate leaves: rows and what the model answers for them."""
    folder = tmp_path_factory.mktemp("evaluation")
    rows = read_head(examples, "test", 300, [feature.name for feature in FEATURES])
    Sample(rows, load_model(model).predict(to_arrays(rows, FEATURES))).save(folder / SAMPLE)
    write_json(folder / COMPARED, {"champion": None})
    Manifest.load(examples).save(folder)
    return folder


@pytest.fixture
def registration(model: Path, tmp_path: Path) -> Path:
    """What register leaves: the parts in the store, and where they are."""
    base = f"{absolute_uri(str(tmp_path / 'store'))}/tiny/models/1/artifacts"
    upload(model, f"{base}/model")
    folder = tmp_path / "registration"
    uris = {name: f"{base}/{name}" for name in ("model", "statistics", "schema")}
    more = {"version": "1", "fingerprint": "f" * 32, "metrics": {"auc": 0.9}, "run": "run-1"}
    write_json(folder / "registration.json", {**uris, **more})
    page = Page("register", "Registration", Outcome("ok", "version 1"))
    page.save(folder)
    return folder


@pytest.fixture
def champion(model: Path, tmp_path: Path) -> Path:
    """Version 1 in service, with a model of its own."""
    copy = tmp_path / "store" / "tiny" / "champion" / "model"
    shutil.copytree(model, copy)
    line = Deployment("1", str(copy), "", "", {}, "", "run-0", "2026-01-01T00:00:00+00:00", "test", "test")
    append_deployment(str(tmp_path / "store"), "tiny", line)
    return copy


@pytest.fixture
def against_champion(evaluation: Path, tmp_path: Path) -> Path:
    """What evaluate leaves when it compared with the champion of now."""
    champion = current_champion(str(tmp_path / "store"), "tiny")
    assert champion is not None
    folder = shutil.copytree(evaluation, tmp_path / "against-champion")
    write_json(folder / COMPARED, {"champion": champion.identity})
    return folder


@pytest.fixture
def deploy(evaluation: Path, registration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Deploy the version; rollout and report lie in tmp_path."""
    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("NARU_SERVING", raising=False)

    def run(project: Project | None = None, **changed: Any) -> Outcome:
        (tmp_path / "rollout").mkdir()
        given: dict[str, Any] = {
            "run": "run-1",
            "cause": "drift in x",
            "evaluation": evaluation,
            "history": tmp_path / "history",
            "registration": registration,
            "pages": [tmp_path, registration],
            "stages": [{"stage": "evaluate", "verdict": "ok", "reason": "", "metric_auc": 0.9}],
            "rollout": tmp_path / "rollout",
            "report": tmp_path / "report.html",
        }
        return deploy_version(project or tiny_project(), **{**given, **changed})

    return run
