"""The monitoring pipeline as KFP runs it: one stage, never cached, in the light image; its component does what the command does."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kfp import compiler, dsl

from components._core.files import read_json
from components._core.setting_names import STORE, TRACKING
from components._core.store.ledger import Deployment, append_deployment
from components._core.types.artifact_files import MONITORING, MONITORING_REFERENCE
from components.monitor.component import monitor
from pipelines.compile_target import Target
from pipelines.compiler import compile_project
from pipelines.graphs.monitoring import monitoring
from pipelines.graphs.pipelines import MONITORING as PIPELINE
from pipelines.placement import place_stages
from pipelines.spec_text import read_spec
from pipelines.stage_secrets import Places
from tests.components.monitor.request_lines import START, make_reference, rows_of, write_object
from tests.components.small_flights import EXAMPLE

PROJECT = '{"name": "small", "task": "binary_classification", "label": "late", "data": {"source": "x.csv"}, "serve": {"request_log": {}}}'


@dataclass
class Artifact:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


def test_it_compiles_to_one_stage_that_is_never_cached(tmp_path: Path):
    target = Target(registry="registry.example/team", tag="1.2.3", final_tags=True)
    graph = place_stages(PIPELINE, monitoring.pipeline_func, target, Places("s3://naru", ()))
    compiler.Compiler().compile(dsl.pipeline(name=PIPELINE.name)(graph), str(tmp_path / PIPELINE.file_name))
    spec, platform = read_spec(tmp_path / PIPELINE.file_name)
    assert set(spec["root"]["dag"]["tasks"]) == {"monitor"}
    assert not spec["root"]["dag"]["tasks"]["monitor"]["cachingOptions"].get("enableCache")
    container = spec["deploymentSpec"]["executors"]["exec-monitor"]["container"]
    assert container["image"] == "registry.example/team/naru-light:1.2.3"
    given = {each["envVar"] for each in platform["exec-monitor"]["configMapAsEnv"][0]["keyToEnv"]}
    assert {STORE, TRACKING} <= given


def test_a_project_that_logs_requests_compiles_to_both_pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(STORE, "s3://naru")
    project = tmp_path / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".naru", "data"))
    target = Target(registry="registry.example/team", tag="1.2.3", final_tags=True)
    names = [path.name for path in compile_project(project, tmp_path / "without", {}, target)]
    assert names == ["training.yaml", "prediction.yaml", "code.zip"]
    logged = compile_project(project, tmp_path / "with", {"serve.request_log": {}, "monitor.window": "24h"}, target)
    assert [path.name for path in logged] == ["training.yaml", "prediction.yaml", "monitoring.yaml", "code.zip"]
    spec, _ = read_spec(logged[-2])
    assert spec["pipelineInfo"]["name"] == "flights-monitoring"
    assert '"window":"24h"' in spec["root"]["inputDefinitions"]["parameters"]["project"]["defaultValue"]


def test_the_component_judges_the_last_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = tmp_path / "store"
    monkeypatch.setenv(STORE, str(store))
    monkeypatch.delenv(TRACKING, raising=False)
    model = store / "small" / "models" / "1" / "artifacts" / "model"
    model.mkdir(parents=True)
    make_reference().save(model.parent / MONITORING_REFERENCE)
    line = Deployment("1", str(model), "", "", {}, "", "run", START.isoformat(), "me", "first")
    append_deployment(str(store), "small", line)
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    write_object(store / "small" / "requests", at, rows_of(START, 300))
    result, page = Artifact(str(tmp_path / "out" / "monitoring")), Artifact(str(tmp_path / "out" / "page.html"))
    monitor.python_func(project=PROJECT, window="24h", since="", monitoring=result, page=page)
    assert read_json(Path(result.path) / MONITORING)["window"]["rows"] == 300
    assert result.metadata["stage"] == "monitor" and "<html" in Path(page.path).read_text()
