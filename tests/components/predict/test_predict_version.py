"""The stage: its component, in this process, over a store with a deployed version."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.store.file_digests import write_digests
from components._core.store.ledger import Deployment, append_deployment
from components.predict.component import predict
from tests.components.predict.conftest import Versions
from tests.components.predict.made import project, read, table


@dataclass
class Artifact:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)
    logged: dict[str, float] = field(default_factory=dict)

    def log_metric(self, name: str, value: float) -> None:
        self.logged[name] = value


@pytest.fixture
def store(versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a champion."""
    model = tmp_path / "store" / "tiny" / "models" / "1" / "artifacts" / "model"
    shutil.copytree(versions().folder, model)
    digest = write_digests(model.parent)
    line = Deployment("1", str(model), "", "", {}, "f", "run", "2026-01-01T00:00:00+00:00", "me", "", digest)
    append_deployment(str(tmp_path / "store"), "tiny", line)
    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def run_component(folder: Path, own: Path, output: str, **parameters: Any) -> tuple[Artifact, Artifact]:
    predictions, metrics = Artifact(str(folder / "predictions")), Artifact(str(folder / "metrics"))
    given = {"source": "", "spans": "", "source_table": "", "source_query": "", "version": "champion"}
    given |= {"output_format": "", "output_table": "", "prefix": "", "replace": False, **parameters}
    predict.python_func(
        project=project(own).to_json(), output=output, predictions=predictions, metrics=metrics, **given
    )
    return predictions, metrics


def test_the_stage_writes_answers_manifest_and_metrics(tmp_path: Path, store: Path) -> None:
    rows = table(40).append_column("y", pa.array([n % 2 for n in range(40)]))
    month = [None if n == 7 else value for n, value in enumerate(rows["month"].to_pylist())]
    pq.write_table(rows.set_column(2, "month", pa.array(month)), tmp_path / "t.parquet")
    predictions, metrics = run_component(tmp_path, tmp_path / "t.parquet", str(tmp_path / "out.csv"))
    assert (predictions.metadata["stage"], predictions.metadata["verdict"]) == ("predict", "warn")
    assert predictions.metadata["reason"] == (
        "39 rows answered by version 1; 1 of 40 rows rejected (missing_feature 1)"
    )
    manifest = json.loads((Path(predictions.path) / "manifest.json").read_text())
    assert manifest["answered"] == read(tmp_path / "out.csv").num_rows == 39
    assert metrics.logged["auc"] == manifest["metrics"]["auc"] and metrics.logged["rejected"] == 1


def test_a_run_names_another_table(tmp_path: Path, store: Path) -> None:
    (tmp_path / "other.csv").write_text("delay,month,carrier,noise\n1,1,AA,0.5\n")
    pq.write_table(table(3), tmp_path / "t.parquet")
    run_component(tmp_path, tmp_path / "t.parquet", str(tmp_path / "out"), source=str(tmp_path / "other.csv"))
    assert read(tmp_path / "out").num_rows == 1


def test_an_output_that_was_not_filled_in_ends_the_stage(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(table(3), tmp_path / "t.parquet")
    with pytest.raises(SystemExit) as ended:
        run_component(tmp_path, tmp_path / "t.parquet", "s3://naru/answers/{{workflow.uid}}")
    assert ended.value.code == 2 and "output" in capsys.readouterr().err
