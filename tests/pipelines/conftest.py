"""A project with a champion that answers, without a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.files import write_json
from components._core.store.ledger import Deployment, append_deployment
from components._core.store.object_store import absolute_uri, upload
from components._core.types.oip_requests import to_request
from components.evaluate.parity_samples import probe_rows
from tests.components.tiny_models import FEATURES, write_examples, write_model

PROJECT = "name: tiny\ntask: binary_classification\nlabel: y\ndata:\n  source: t.csv\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project.yaml").write_text(PROJECT)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, written once."""
    return write_model(tmp_path_factory.mktemp("model"), "binary_classification")


@pytest.fixture
def champion(project: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = probe_rows(write_examples(tmp_path_factory.mktemp("examples"), "binary_classification", rows=20), FEATURES)
    store = project / ".naru" / "store"
    base = f"{absolute_uri(str(store))}/tiny/models/1/artifacts"
    upload(tiny_model, f"{base}/model")
    write_json(store / "tiny" / "models" / "1" / "artifacts" / "request.json", to_request(rows.slice(0, 1), FEATURES))
    line = Deployment("4", f"{base}/model", "", "", {}, "f", "run", "2013-01-01T00:00:00+00:00", "me", "a test")
    append_deployment(str(store), "tiny", line)
    return project
