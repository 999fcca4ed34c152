"""A project with a champion and a version that waits for an approval, and a target that answers at once."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.checks import Check
from components._core.examples.samples import Sample, beside
from components._core.files import write_text
from components._core.project.project_file import load_project
from components._core.settings import Settings
from components._core.store.approvals import Request, open_approvals, read_requests
from components._core.store.file_digests import list_digests, write_digests
from components._core.store.ledger import Deployment, append_deployment, current_champion
from components._core.types.signature import Feature, Signature
from components._registry.mlflow_client import open_registry
from components.deploy.approval import ask_for_approval
from components.deploy.comparison import Comparison
from components.deploy.into_service import Change
from components.deploy.load_generator import Load
from components.deploy.performance import Performance
from components.deploy.promotion import Compared
from components.deploy.smoke_test import SmokeTestResult
from components.deploy.targets.contract import ComparisonTarget

PROJECT = """\
name: tiny
task: regression
label: y
data: {source: t.csv}
serve:
  approve: {who: [ada, grace@example.com], expires: 2d}
"""


class InstantTarget(ComparisonTarget):
    """Compares without a server."""

    def __init__(self, checks: list[Check] | None = None) -> None:
        self.checks = checks or [Check("parity", "pass")]
        self.compared: list[str] = []

    def compare(self, registered: dict[str, Any], sample: Sample, champion: Deployment | None) -> Comparison:
        assert sample.rows.num_rows >= 2
        self.compared.append(registered["version"])
        ours = Performance(Load(1, 1.0, 1, {200: 1}, [1.0]), 1.0, None, 1.0)
        return Comparison(SmokeTestResult(milliseconds=[1.0], rows=2), self.checks, ours, None, "", "no load test")


def settings_of(project: Path) -> Settings:
    home = project / ".naru"
    return Settings(str(home / "store"), f"sqlite:///{home / 'mlflow.db'}")


def write_version(store: Path, version: str) -> tuple[str, str, dict[str, str]]:
    """Write the files of a registered version; returns the model's address, the digest of the list, and the list."""
    folder = store / "tiny" / "models" / version / "artifacts"
    model = folder / "model"
    Signature("regression", (Feature("x", "float32", False),), {"prediction": "float32"}, ()).save(model)
    write_text(model / "saved_model" / "saved_model.pb", version)
    write_text(folder / "outcome.json", "{}")
    rows = pa.table({"x": pa.array([1.0, 2.0], pa.float32())})
    Sample(rows, {"prediction": np.array([1.0, 2.0], dtype=np.float32)}).save(Path(beside(str(model))))
    return str(model), write_digests(folder), list_digests(folder)


def write_project(folder: Path, text: str = PROJECT) -> Path:
    """Write a project whose version 1 is the champion, and whose version 2 is registered."""
    write_text(folder / "project.yaml", text)
    settings = settings_of(folder)
    client = open_registry(settings.tracking_uri)
    client.create_registered_model("tiny")
    for version in ("1", "2", "3"):
        model, digest, _ = write_version(Path(settings.store), version)
        client.create_model_version("tiny", model)
        if version == "1":
            line = Deployment("1", model, "", "", {}, "f", "run-1", "2026-01-01T00:00:00+00:00", "me", "a test", digest)
            append_deployment(settings.store, "tiny", line)
    return folder


def registered(project: Path, version: str = "2") -> dict[str, Any]:
    model, digest, files = write_version(Path(settings_of(project).store), version)
    line = Deployment(version, model, "", "", {"rmse": 1.0}, "f", f"run-{version}", "", "", "", digest)
    return {**asdict(line), "sha256": files}


def ask(project: Path, version: str = "2", target: ComparisonTarget | None = None) -> str:
    """Let deploy ask for the approval of a version that was judged against the champion of now; returns its reason."""
    settings, loaded = settings_of(project), load_project(project)
    champion = current_champion(settings.store, "tiny")
    compared = Compared(champion.identity if champion else None, "evaluate", "run again")
    change = Change(loaded, settings, registered(project, version), f"training run run-{version}", compared)
    assert loaded.serve.approve is not None
    sample = Sample(pa.table({"x": [1.0, 2.0]}), {})
    outcome, _, _ = ask_for_approval(change, loaded.serve.approve, target or InstantTarget(), lambda: sample)
    return f"{outcome.verdict}: {outcome.reason}"


def requests_of(project: Path) -> list[Request]:
    return read_requests(open_approvals(settings_of(project).store, "tiny"))


def soon() -> datetime:
    return datetime.now(UTC)
