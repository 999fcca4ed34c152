"""The pipeline of live tests as KFP runs it: one stage that acts as the account of rollouts, of projects that test versions on requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components._core.project.monitor_config import HOURLY
from components._core.project.project_file import Project, parse_project
from components._core.setting_names import STORE
from components.deploy.targets.placement import PLACEMENTS
from pipelines.compile_target import Target
from pipelines.compiler import compile_settling, needed_pipelines
from pipelines.graphs.pipelines import SETTLING, TRAINING
from pipelines.kfp.desired_state import DesiredPipeline
from pipelines.placement import DEPLOYER
from pipelines.spec_text import read_spec
from tests.pipelines.kfp.conftest import compiled

__all__ = ["compiled"]

TARGET = Target(registry="registry.example/team", tag="1.2.3", final_tags=True)


def project(**serve: Any) -> Project:
    raw = {
        "name": "small",
        "task": "binary_classification",
        "label": "late",
        "data": {"source": "postgresql://${FLIGHTS}", "sql": {"table": "flights"}},
        "serve": {"request_log": {}, "rollout": "shadow", **serve},
        "feedback": {"labels": {"source": "labels/", "id": "request"}},
    }
    return parse_project(raw)


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, "s3://naru")


def test_its_stage_may_move_servers_and_reads_labels_in_the_store_and_nothing_else(tmp_path: Path) -> None:
    spec, platform = read_spec(compile_settling(project(), tmp_path / SETTLING.file_name, TARGET))
    (task,) = spec["root"]["dag"]["tasks"].values()
    assert not task["cachingOptions"].get("enableCache") and "retryPolicy" not in task
    container = spec["deploymentSpec"]["executors"]["exec-settle"]["container"]
    assert container["image"] == "registry.example/team/naru-light:1.2.3"
    (placed,) = [json.loads(one["value"]) for one in container["env"] if one["name"] == PLACEMENTS]
    assert placed["v2"][""]["image"] == "registry.example/team/naru-server:1.2.3"
    given = platform["exec-settle"]
    assert [one["secretName"] for one in given["secretAsVolume"]] == [DEPLOYER]
    assert {one["secretName"] for one in given["secretAsEnv"]} == {"naru-store"}, "not the connection of the rows"
    section = json.loads(spec["root"]["inputDefinitions"]["parameters"]["project"]["defaultValue"])["feedback"]
    assert section["labels"]["source"] == "s3://naru/small/labels/"


def test_only_a_project_with_live_tests_has_it() -> None:
    assert SETTLING in needed_pipelines(project())
    assert SETTLING not in needed_pipelines(project(rollout="canary"))


def test_it_looks_as_often_as_the_monitor(compiled: DesiredPipeline) -> None:
    from dataclasses import replace

    for cron, wanted in ((HOURLY, [HOURLY]), ("0 */5 * * * *", ["0 */5 * * * *"]), ("", [])):
        monitor = compiled.project.monitor.model_copy(update={"schedule": cron})
        one = replace(compiled, project=compiled.project.model_copy(update={"monitor": monitor}), kind=SETTLING)
        assert [schedule.cron for schedule in one.schedules] == wanted
    assert replace(compiled, kind=TRAINING).schedules == compiled.schedules
