"""What a server is told of the project's loop: the log, where labels go, and where the monitor's results are."""

from __future__ import annotations

from typing import Any

import pytest

from components._core.project.project_file import Project
from components.deploy.server_command import log_arguments, monitoring_arguments
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.manifest import render_deployment
from tests.components.deploy.targets.seldon.made import STABLE, component

LOG = {"request_log": {}}


def project(serve: dict[str, Any], feedback: dict[str, Any] | None = None) -> Project:
    raw = {"name": "flights", "task": "regression", "label": "y", "data": {"source": "t.csv"}, "serve": serve}
    return Project.model_validate({**raw, **({"feedback": feedback} if feedback else {})})


def arguments(given: Project, store: str) -> list[str]:
    found: list[str] = component(render_deployment(given, STABLE, Placement(store=store)))["spec"]["containers"][0][
        "args"
    ]
    return found


def test_labels_go_below_the_log_where_the_servers_keys_may_write() -> None:
    given = project(LOG, {"endpoint": True})
    assert log_arguments(given, "s3://naru")[-2:] == ["--feedback", "s3://naru/flights/requests/labels"]
    elsewhere = project({"request_log": {"uri": "s3://logs/flights"}}, {"endpoint": True})
    assert log_arguments(elsewhere, "gs://naru")[-1] == "s3://logs/flights/labels"


@pytest.mark.parametrize("feedback", [None, {"labels": {"source": "labels"}}])
def test_a_server_takes_no_labels_unless_the_section_opens_it(feedback: dict[str, Any] | None) -> None:
    assert "--feedback" not in log_arguments(project(LOG, feedback), "s3://naru")


def test_a_pod_reads_the_monitors_results_where_its_keys_open_the_store() -> None:
    told = arguments(project(LOG), "s3://naru")
    assert told[told.index("--monitoring") + 1] == "s3://naru/flights/monitoring"
    assert told[told.index("--triggers") + 1] == "s3://naru/flights/triggers"
    in_s3 = project({"request_log": {"uri": "s3://logs/flights"}})
    assert "--monitoring" not in arguments(in_s3, "gs://naru"), "keys AWS_* open no other store"
    assert "--monitoring" not in arguments(project({}), "s3://naru"), "without a log nothing is monitored"


def test_on_a_laptop_results_and_decisions_are_in_its_store() -> None:
    assert monitoring_arguments(project(LOG), "file:///srv/.naru/store") == [
        "--monitoring",
        "file:///srv/.naru/store/flights/monitoring",
        "--triggers",
        "file:///srv/.naru/store/flights/triggers",
    ]


def test_a_server_is_told_which_masked_features_it_hashes_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_LOG_KEY", "0123456789abcdef0123456789abcdef")
    found = log_arguments(project({"request_log": {"mask": ["a", "b"], "hash": ["b"]}}), "s3://naru")
    assert found[found.index("--log-mask") :][:4] == ["--log-mask", "a,b", "--log-hash", "b"]
    assert "0123456789abcdef0123456789abcdef" not in str(found)
