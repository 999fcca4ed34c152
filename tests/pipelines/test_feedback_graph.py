"""The feedback pipeline as KFP runs it: one stage, never cached, which reads the labels where the project says and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import Project, parse_project
from components._core.setting_names import STORE
from pipelines.compile_target import Target
from pipelines.compiler import compile_feedback, compile_monitoring, needed_pipelines
from pipelines.graphs.pipelines import JOINING
from pipelines.spec_text import read_spec

TARGET = Target(registry="registry.example/team", tag="1.2.3", final_tags=True)


def project(**labels: Any) -> Project:
    raw = {
        "name": "small",
        "task": "binary_classification",
        "label": "late",
        "data": {"source": "postgresql://${FLIGHTS}", "sql": {"table": "flights"}},
        "serve": {"request_log": {}},
        "feedback": {"labels": {"id": "request", **labels}, "spans": "spans/{span}.parquet"},
    }
    return parse_project(raw)


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, "s3://naru")


def compile_one(given: Project, folder: Path, target: Target = TARGET) -> tuple[dict[str, Any], dict[str, Any]]:
    return read_spec(compile_feedback(given, folder / JOINING.file_name, target))


def given_by_secrets(platform: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in platform["exec-feedback"]["secretAsEnv"]:
        found.setdefault(one["secretName"], set()).update(key["envVar"] for key in one["keyToEnv"])
    return found


def test_it_is_one_stage_that_is_never_cached_and_reads_labels_and_spans_in_the_store(tmp_path: Path) -> None:
    spec, platform = compile_one(project(source="labels/"), tmp_path)
    (task,) = spec["root"]["dag"]["tasks"].values()
    assert not task["cachingOptions"].get("enableCache") and "retryPolicy" not in task
    container = spec["deploymentSpec"]["executors"]["exec-feedback"]["container"]
    assert container["image"] == "registry.example/team/naru-stages:1.2.3"
    section = json.loads(spec["root"]["inputDefinitions"]["parameters"]["project"]["defaultValue"])["feedback"]
    assert section["labels"]["source"] == "s3://naru/small/labels/"
    assert section["spans"] == "s3://naru/small/spans/{span}.parquet"
    assert "schedule" not in section
    assert given_by_secrets(platform) == {"naru-store": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}}


def test_it_is_given_the_connections_of_labels_and_of_tables_joined_to_them_and_not_those_of_training(
    tmp_path: Path,
) -> None:
    joined = {"source": "postgresql://${BOOKINGS}", "sql": {"table": "bookings"}, "on": ["booking"]}
    given = project(source="postgresql://${OUTCOMES}", sql={"table": "outcomes"}, join=[joined])
    _, platform = compile_one(given, tmp_path, Target(extras=("postgresql",)))
    assert given_by_secrets(platform)["naru-sources"] == {"OUTCOMES", "BOOKINGS"}


def test_it_joins_a_log_that_hashes_values_without_their_key(tmp_path: Path) -> None:
    raw = json.loads(project(source="labels/").to_json(whole=True))
    raw["serve"]["request_log"] = {"mask": ["origin"], "hash": ["origin"]}
    _, platform = compile_one(parse_project(raw), tmp_path)
    assert set(given_by_secrets(platform)) == {"naru-store"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"source": "postgresql://${OUTCOMES}", "sql": {"table": "t"}}, "feedback.labels.source needs the extra 'postgresql'"),
        ({"source": "s3://bucket/labels.xlsx", "format": "xlsx"}, "feedback.labels.format needs the extra 'xlsx'"),
        ({"source": "sqlite:///labels.db", "sql": {"table": "t"}}, "are on this machine, which runs on a cluster cannot read"),
    ],
)  # fmt: skip
def test_labels_that_the_stage_could_not_read_are_refused_before_anything_is_applied(
    labels: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        compile_one(project(**labels), tmp_path)


def test_the_monitor_looks_for_labelled_rows_where_the_join_publishes_them(tmp_path: Path) -> None:
    spec, _ = read_spec(compile_monitoring(project(source="labels/"), tmp_path / "monitoring.yaml", TARGET))
    section = json.loads(spec["root"]["inputDefinitions"]["parameters"]["project"]["defaultValue"])["feedback"]
    assert section["spans"] == "s3://naru/small/spans/{span}.parquet"


def test_only_a_project_with_labels_has_it() -> None:
    given = project(source="labels/")
    assert JOINING in needed_pipelines(given)
    assert JOINING not in needed_pipelines(given.model_copy(update={"feedback": None}))
