"""plan, apply and prune bring every pipeline that a project needs, each with its recurring run; submit starts one of any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components._core.errors import ConfigError
from components._core.project.feedback_config import DAILY
from components._core.project.monitor_config import HOURLY, Monitor
from components._core.project.project_file import parse_project
from components._kfp.ownership import OwnershipLabel
from components._kfp.server_state import Server
from pipelines.__main__ import app
from pipelines.graphs.pipelines import MONITORING, PREDICTION
from pipelines.kfp.apply_changes import apply
from pipelines.kfp.desired_state import COMMIT, DesiredPipeline
from pipelines.kfp.prune_objects import prune
from pipelines.kfp.submit_run import read_parameters, submit
from tests.components.kfp.kfp_server import KfpServer


def _applied(server: Server, desired: list[DesiredPipeline]) -> list[str]:
    return [str(change) for change in apply(server, desired, dry=False) if change.action != "keep"]


def _pruned(server: Server, desired: list[DesiredPipeline], everything: bool = False) -> list[str]:
    changes = prune(server, desired, everything=everything, dry=False, settle=0)
    return [str(change).partition(" (")[0] for change in changes]


def _named(pipelines: list[DesiredPipeline], kind: Any) -> DesiredPipeline:
    return next(one for one in pipelines if one.kind == kind)


def test_every_pipeline_of_a_project_gets_its_version_and_its_recurring_run_once(
    server: Server, held: KfpServer, pipelines: list[DesiredPipeline]
) -> None:
    changes = _applied(server, pipelines)
    for pipeline in pipelines:
        assert f"create  pipeline {pipeline.pipeline}" in changes
    assert _applied(server, pipelines) == [] and _pruned(server, pipelines, everything=True) == []
    assert {one["display_name"]: one["trigger"]["cron_schedule"]["cron"] for one in held.schedules} == {
        "flights-nightly": "0 30 3 * * *",
        "flights-monitoring": HOURLY,
        "flights-feedback": DAILY,
        "flights-watch": "0 30 * * * *",
    }
    experiments = {one["experiment_id"]: one["display_name"] for one in held.experiments}
    assert {experiments[one["experiment_id"]] for one in held.schedules} == {
        "flights", "flights-monitoring", "flights-feedback", "flights-watch"
    }  # fmt: skip
    assert all(one["no_catchup"] and one["max_concurrency"] == "1" for one in held.schedules)


def test_a_schedule_of_the_project_may_have_the_name_of_a_pipeline(
    server: Server, held: KfpServer, pipelines: list[DesiredPipeline]
) -> None:
    training = pipelines[0]
    nightly = training.project.triggers.schedules[0].model_copy(update={"name": "monitoring"})
    triggers = training.project.triggers.model_copy(update={"schedules": [nightly]})
    named = [replace(training, project=training.project.model_copy(update={"triggers": triggers})), *pipelines[1:]]
    _applied(server, named)
    assert len(held.schedules) == 4 and _applied(server, named) == [] and _pruned(server, named) == []


def test_the_monitors_cron_is_replaced_and_switched_off_as_project_yaml_says(
    server: Server, held: KfpServer, pipelines: list[DesiredPipeline]
) -> None:
    _applied(server, pipelines)

    def with_cron(cron: str) -> list[DesiredPipeline]:
        monitor = Monitor(schedule=cron)
        return [replace(one, project=one.project.model_copy(update={"monitor": monitor})) for one in pipelines]

    daily = with_cron("0 15 6 * * *")
    assert _applied(server, daily) == ["replace schedule flights monitoring/recurring: cron"]
    assert _pruned(server, daily) == ["remove  schedule flights monitoring/recurring"]
    none = with_cron("")
    assert _applied(server, none) == []
    assert _pruned(server, none) == ["remove  schedule flights monitoring/recurring"]
    assert "flights-monitoring" not in [one["display_name"] for one in held.schedules]


def test_a_pipeline_that_a_project_needs_no_more_is_pruned_with_its_recurring_run(
    server: Server, held: KfpServer, pipelines: list[DesiredPipeline]
) -> None:
    _applied(server, pipelines)
    without = [one for one in pipelines if one.kind != MONITORING]
    assert _applied(server, without) == []
    assert _pruned(server, without) == [
        "remove  schedule flights monitoring/recurring",
        "remove  pipeline flights-monitoring",
    ]
    assert "flights-monitoring" not in [one["name"] for one in held.pipelines]


def test_a_name_of_another_owner_is_reported_before_anything_is_made(
    server: Server, held: KfpServer, pipelines: list[DesiredPipeline]
) -> None:
    theirs = OwnershipLabel("github.com/other/models", "flights").describe("Theirs.")
    server.create_pipeline("flights-monitoring", theirs)
    with pytest.raises(ConfigError, match=r"flights-monitoring.*belongs to github\.com/other/models"):
        _applied(server, pipelines)
    assert [one["name"] for one in held.pipelines] == ["flights-monitoring"]


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({"monitor": {"schedule": "15 * * * *"}}, "monitor.schedule"),
        ({"feedback": {"labels": {"source": "s3://b/l"}, "schedule": "15 2 * * *"}}, "feedback.schedule"),
        ({"triggers": {"watch": "*/5 * * * *"}}, "triggers.watch"),
    ],
)
def test_five_fields_are_refused_where_the_loop_is_scheduled_too(section: dict[str, Any], place: str) -> None:
    project = {"name": "x", "task": "regression", "label": "y", "data": {"source": "s3://b/x.csv"}}
    with pytest.raises(ConfigError, match=rf"(?s){place}.*five fields; KFP reads the first as seconds"):
        parse_project({**project, **section})


def test_when_the_loop_is_scheduled_changes_nothing_in_what_the_stages_get() -> None:
    project = {"name": "x", "task": "regression", "label": "y", "data": {"source": "s3://b/x.csv"}}
    labels = {"labels": {"source": "s3://b/l"}}
    bare = parse_project({**project, "monitor": {"window": "24h"}, "feedback": labels})
    timed = parse_project(
        {
            **project,
            "monitor": {"window": "24h", "schedule": ""},
            "feedback": {**labels, "schedule": ""},
            "triggers": {"watch": ""},
        }
    )
    assert timed.to_json() == bare.to_json() and timed.to_json(whole=True) != bare.to_json(whole=True)


def test_recurring_runs_of_the_monitor_have_no_parameters_that_pin_anything(pipelines: list[DesiredPipeline]) -> None:
    monitoring = _named(pipelines, MONITORING)
    assert monitoring.parameters_of(monitoring.schedules[0]) == {}
    assert COMMIT not in monitoring.parameters


def test_a_prediction_is_submitted_with_its_own_parameters(
    server: Server, held: KfpServer, pipelines: list[DesiredPipeline]
) -> None:
    prediction = _named(pipelines, PREDICTION)
    given = read_parameters(prediction, ["source=memory://data/new.csv", "replace=true", "version=3"])
    started = submit(server, prediction, given, cause="by hand", cache=True)
    (run,) = held.runs
    assert run["runtime_config"]["parameters"] == {
        "source": "memory://data/new.csv", "replace": True, "version": "3"
    }  # fmt: skip
    assert started.name.startswith("flights-prediction-")
    assert [one["display_name"] for one in held.experiments] == ["flights-prediction"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "data/new.csv"}, "the source 'data/new.csv' is a path on this machine"),
        ({"output": "answers.csv"}, "the output 'answers.csv' is a path on this machine"),
        ({"epochs": 3}, "the pipeline prediction has no parameter 'epochs'"),
    ],
)
def test_what_a_prediction_cannot_be_given_is_refused(
    server: Server, held: KfpServer, pipelines: list[DesiredPipeline], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        submit(server, _named(pipelines, PREDICTION), given, cause="by hand", cache=True)
    assert held.writes() == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [("predicton", "did you mean 'prediction'"), ("monitoring", "the project has no pipeline 'monitoring'")],
)
def test_submit_says_which_pipelines_there_are(
    held: KfpServer, compiled: DesiredPipeline, kind: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_FINAL_TAGS", "1")
    done = CliRunner().invoke(app, ["submit", str(compiled.folder), "--pipeline", kind])
    assert isinstance(done.exception, ConfigError) and message in str(done.exception)
    assert not [path for verb, path in held.requests if verb != "GET"]


def test_a_run_of_another_pipeline_is_followed_by_its_stage(server: Server, held: KfpServer, tmp_path: Path) -> None:
    from pipelines.kfp.run_watch import stages_of
    from tests.components.kfp.kfp_server import task

    (stage,) = stages_of({"run_details": {"task_details": [task("predict", "SUCCEEDED", "pod")]}})
    assert (stage.name, stage.state) == ("predict", "SUCCEEDED")
