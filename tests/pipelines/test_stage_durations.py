"""What a cluster adds to each stage, computed from what the KFP server and Kubernetes answer."""

import json
from typing import Any

import pytest

from components._core.errors import DataError
from components._core.stage.stage_end import failed
from pipelines.stage_durations import report_from_log, reports_from_pods, stage_times, time_rows

NO_FILE = DataError("no file matches", remedy="correct data.source")


def node(name: str, start: str, end: str, state: str = "SUCCEEDED") -> dict[str, Any]:
    """A task detail as REST has it; times within one hour."""
    return {
        "display_name": name,
        "start_time": f"2026-01-01T10:{start}Z",
        "end_time": f"2026-01-01T10:{end}Z",
        "state": state,
    }


def pod(
    stage: str, message: str, *, created: str = "10:00", exit_code: int = 0, reason: str = "Completed"
) -> dict[str, Any]:
    ended = {"exitCode": exit_code, "message": message, "reason": reason}
    return {
        "metadata": {"labels": {"naru/stage": stage}, "creationTimestamp": f"2026-01-01T{created}:00Z"},
        "status": {
            "containerStatuses": [
                {"name": "wait", "state": {"terminated": {"exitCode": 0}}},
                {"name": "main", "state": {"terminated": ended}},
            ]
        },
    }


def record(stage: str, imports: float, work: float) -> str:
    content = {"stage": stage, "verdict": "ok", "reason": "well", "import_seconds": imports, "work_seconds": work}
    return json.dumps(content)


RUN = [
    node("training-x7k2p", "00:00", "01:40"),
    node("root-driver", "00:02", "00:10"),
    node("ingest-driver", "00:12", "00:18"),
    node("ingest", "00:20", "00:40"),
    node("ingest(0)", "00:20", "00:40"),  # Argo lists every try, and what a try runs, beside the stage
    node("executor", "00:20", "00:40"),
    node("executor(0)", "00:20", "00:38"),
    {"start_time": "2026-01-01T10:00:30Z", "end_time": "2026-01-01T10:00:35Z"},
    node("validate-driver", "00:42", "00:48"),
    node("validate", "00:50", "01:10"),
]


def test_a_stage_takes_from_the_end_of_the_one_before_to_its_own_end_and_waits_for_what_is_not_its_own() -> None:
    ingest, validate = stage_times(
        RUN, reports_from_pods([pod("ingest", record("ingest", 0.5, 2.5)), pod("validate", record("validate", 6, 4))])
    )
    assert (ingest.stage, ingest.total, ingest.own, ingest.waiting) == ("ingest", 30.0, 3.0, 27.0)
    assert (validate.total, validate.waiting, validate.verdict) == (30.0, 20.0, "ok")


def test_a_stage_without_a_pod_of_its_own_was_taken_from_the_cache_and_only_waited() -> None:
    ingest, _ = stage_times(RUN, reports_from_pods([pod("validate", record("validate", 6, 4))]))
    assert (ingest.state, ingest.own, ingest.waiting) == ("cached", 0.0, 30.0)


def test_a_stage_that_kfp_skipped_was_taken_from_the_cache() -> None:
    skipped = [{**task, "state": "SKIPPED"} if task.get("display_name") == "ingest" else task for task in RUN]
    assert [(one.state, one.waiting) for one in stage_times(skipped)] == [("cached", 30.0), ("succeeded", None)]


def test_without_pods_nothing_is_said_about_own_seconds() -> None:
    ingest, _ = stage_times(RUN)
    assert (ingest.state, ingest.total, ingest.own, ingest.waiting) == ("succeeded", 30.0, None, None)


def test_a_failed_stage_has_its_reason_and_one_that_was_killed_what_kubernetes_says() -> None:
    failing = [*RUN[:-1], node("validate", "00:50", "01:10", "FAILED")]
    times = stage_times(
        failing,
        reports_from_pods([pod("validate", json.dumps(failed("validate", NO_FILE)), exit_code=1, reason="Error")]),
    )[1]
    assert (times.state, times.reason, times.waiting) == ("failed", "no file matches\n  -> correct data.source", None)
    killed = stage_times(failing, reports_from_pods([pod("validate", "", exit_code=137, reason="OOMKilled")]))[1]
    assert killed.reason == "OOMKilled"


def test_the_last_try_of_a_stage_counts() -> None:
    first = pod("ingest", json.dumps(failed("ingest", NO_FILE)), created="10:00", exit_code=1)
    last = pod("ingest", record("ingest", 1, 2), created="10:01")
    assert stage_times(RUN, reports_from_pods([last, first]))[0].own == 3.0


@pytest.mark.parametrize(
    ("message", "run_state", "state"),
    [
        (record("validate", 6, 4), "RUNNING", "succeeded"),
        (json.dumps(failed("validate", NO_FILE)), "FAILED", "failed"),
        ("", "SUCCEEDED", "succeeded"),
        ("", "FAILED", "running"),
        ("", "RUNNING", "running"),
    ],
)
def test_a_stage_that_kfp_keeps_as_running_has_ended_as_it_reported_or_as_its_run_did(
    message: str, run_state: str, state: str
) -> None:
    kept = [*RUN[:-1], {**RUN[-1], "end_time": "0001-01-01T00:00:00Z", "state": "RUNNING"}]
    reports = reports_from_pods([pod("ingest", record("ingest", 1, 2)), pod("validate", message)])
    validate = stage_times(kept, reports, run_state)[1]
    assert (validate.state, validate.total) == (state, None)


@pytest.mark.parametrize("end", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", None])
def test_a_stage_that_is_not_over_has_no_end(end: str | None) -> None:
    running = [*RUN[:-1], {**RUN[-1], "end_time": end, "state": "RUNNING"}]
    validate = stage_times(running, reports_from_pods([pod("ingest", record("ingest", 1, 2))]))[1]
    assert (validate.state, validate.total, validate.waiting) == ("running", None, None)


def test_a_log_tells_the_same_as_the_pod() -> None:
    log = "loading\nnaru: " + record("ingest", 0.5, 2.5) + "\nuploading\n"
    assert stage_times(RUN, {"ingest": report_from_log(log)})[0].own == 3.0
    log = f"I0101 launcher\nnaru: {json.dumps(failed('validate', NO_FILE))}\nF0101 launcher: exit status 4\n"
    assert report_from_log(log) == {"stage": "validate", "reason": "no file matches\n  -> correct data.source"}
    assert report_from_log("killed before it said anything") == {}


def test_the_rows_say_what_is_known_and_sum_it_up() -> None:
    rows = time_rows(
        stage_times(
            RUN,
            reports_from_pods([pod("ingest", record("ingest", 0.5, 2.5)), pod("validate", record("validate", 6, 4))]),
        )
    )
    assert rows[1] == ["ingest", "succeeded", "30.0", "3.0", "27.0"]
    assert rows[-1] == ["all", "", "60.0", "13.0", "47.0"]


def test_a_stage_that_never_began_has_no_time_and_is_not_running() -> None:
    left_out = [node(name, "01:12", "01:12", state="") for name in ("transform-driver", "transform")]
    *_, transform = stage_times([*RUN, *left_out])
    assert (transform.stage, transform.state, transform.total) == ("transform", "not begun", None)
    assert time_rows([transform])[1] == ["transform", "not begun", "", "", ""]


def test_a_stage_whose_driver_failed_has_failed_and_one_whose_driver_runs_is_running() -> None:
    [failed] = stage_times([node("ingest-driver", "00:12", "00:18", state="FAILED")])
    [running] = stage_times([node("ingest-driver", "00:12", "00:18", state="RUNNING")])
    assert (failed.state, running.state) == ("failed", "running")


@pytest.mark.parametrize(
    ("executor", "cached"), [("SKIPPED", True), ("", True), ("SUCCEEDED", False), ("RUNNING", False)]
)
def test_a_stage_that_succeeded_without_its_executor_was_taken_from_the_cache(executor: str, cached: bool) -> None:
    stage = {**node("ingest", "00:20", "00:40"), "pod_name": "t-1", "child_tasks": [{"pod_name": "t-2"}]}
    between = {**node("ingest(0)", "00:20", "00:40"), "pod_name": "t-2", "child_tasks": [{"pod_name": "t-3"}]}
    last = {**node("executor(0)", "00:20", "00:20", state=executor), "pod_name": "t-3"}
    [ingest] = stage_times([stage, between, last])
    assert (ingest.state == "cached") == cached


def test_where_the_server_does_not_say_what_is_below_a_stage_their_times_do() -> None:
    """As 2.17 does: of a child it tells the pod, and of a node nothing that could be held against it."""
    nodes = [
        {**node("ingest", "00:20", "00:24"), "child_tasks": [{"pod_name": "t-2"}]},
        node("executor", "00:22", "00:22", state="SKIPPED"),
        {**node("validate", "00:50", "01:10"), "child_tasks": [{"pod_name": "t-4"}]},
        node("executor", "00:52", "01:08"),
    ]
    assert [one.state for one in stage_times(nodes)] == ["cached", "succeeded"]
