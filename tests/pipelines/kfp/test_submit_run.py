"""A run is started with everything pinned that can be, followed by its stages, and explained when it fails."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError, NaruError, ServiceError
from components._core.project.placeholders import PER_RUN
from components._core.store.ledger import Deployment, append_deployment
from components._kfp.server_state import Server, final_state
from pipelines.kfp.desired_state import DesiredPipeline
from pipelines.kfp.failure_reasons import find_reason, read_log
from pipelines.kfp.run_durations import duration_lines
from pipelines.kfp.run_watch import stages_of, wait_for_run
from pipelines.kfp.submit_run import read_parameters, submit
from tests.components.kfp.kfp_server import KfpServer, task
from tests.kubernetes.api_server import serving

LOG = """\
I1121 05:00:01 launcher_v2.go:200] starting
naru: transform: validation: the data was blocked: 3 anomalies
  -> correct the data, or the schema
  exit code 5
naru: {"stage": "transform", "error": {"kind": "data_blocked", "message": "the data was blocked: 3 anomalies", "where": "validation", "remedy": "correct the data, or the schema"}}
I1121 05:00:02 launcher_v2.go:300] exit status 5
"""


def _submit(
    server: Server, desired: DesiredPipeline, cache: bool = True, **given: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    started = submit(server, desired, given, cause="drift in dep_delay", cache=cache)
    run = server.kfp.get(f"/runs/{started.id}")
    return {**run, "parameters": run["runtime_config"]["parameters"]}, started.notes


def test_a_run_is_started_as_our_service_account_with_its_cause(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    run, notes = _submit(server, desired, spans="1")
    assert run["service_account"] == "naru-runner"
    assert "Cause: drift in dep_delay." in run["description"]
    assert run["parameters"]["spans"] == "1"
    assert [note.split()[0] for note in notes] == ["create", "upload"]
    assert [one["display_name"] for one in held.experiments] == ["flights"]


def test_a_second_run_goes_by_what_is_there_and_the_same_source_has_the_same_fingerprint(
    server: Server, held: KfpServer, desired: DesiredPipeline, store: Any
) -> None:
    first, _ = _submit(server, desired)
    second, notes = _submit(server, desired)
    assert notes == () and len(held.experiments) == 1
    assert first["parameters"]["source_fingerprint"] == second["parameters"]["source_fingerprint"] != PER_RUN
    store.pipe_file("/data/flights-2.csv", b"late\n0\n")
    third, _ = _submit(server, desired)
    assert third["parameters"]["source_fingerprint"] != first["parameters"]["source_fingerprint"]


def _joined(desired: DesiredPipeline, source: str) -> DesiredPipeline:
    """The project with a join, as it would be compiled."""
    raw = json.loads(desired.defaults["project"])
    raw["data"]["join"] = [{"source": source, "on": "origin"}]
    return replace(desired, defaults={**desired.defaults, "project": json.dumps(raw)})


def test_a_table_that_is_joined_has_a_part_in_the_fingerprint(
    server: Server, held: KfpServer, desired: DesiredPipeline, store: Any
) -> None:
    store.pipe_file("/data/airports.csv", b"origin,size\nEWR,1\n")
    alone, _ = _submit(server, desired)
    joined = _joined(desired, "memory://data/airports.csv")
    found = [_submit(server, joined)[0] for _ in range(2)]
    store.pipe_file("/data/airports.csv", b"origin,size\nEWR,2\n")
    found += [_submit(server, joined)[0], alone]
    first, second, *others = [run["parameters"]["source_fingerprint"] for run in found]
    assert first == second and len({first, *others}) == 3


def test_a_table_of_this_machine_is_joined_to_nothing_on_a_cluster(server: Server, desired: DesiredPipeline) -> None:
    with pytest.raises(ConfigError, match=r"data\.join\.0: the source 'airports\.csv' is a path on this machine"):
        _submit(server, _joined(desired, "airports.csv"))


def test_a_run_is_given_the_commit_of_its_project(server: Server, desired: DesiredPipeline) -> None:
    run, _ = _submit(server, replace(desired, commit="a1b2c3+dirty"))
    assert run["parameters"]["code_commit"] == "a1b2c3+dirty"


def test_without_the_cache_every_run_is_another(server: Server, desired: DesiredPipeline) -> None:
    run, _ = _submit(server, desired, cache=False)
    assert run["parameters"]["source_fingerprint"] == PER_RUN


def test_a_source_that_cannot_be_seen_from_here_is_reported_and_nothing_is_taken_from_the_cache(
    server: Server, desired: DesiredPipeline
) -> None:
    run, notes = _submit(server, desired, source="memory://elsewhere/{span}.csv")
    assert run["parameters"]["source_fingerprint"] == PER_RUN
    assert "no stage is taken from the cache" in notes[-1]


def test_the_champion_is_the_ledgers_of_now(server: Server, desired: DesiredPipeline) -> None:
    assert _submit(server, desired)[0]["parameters"]["champion"] == "none"
    deployed = Deployment("7", "m", "s", "c", {"auc": 0.9}, "f", "r", "2026-11-21T00:00:00Z", "me", "better")
    append_deployment("memory://store", "flights", deployed)
    assert json.loads(_submit(server, desired)[0]["parameters"]["champion"])["version"] == "7"


def test_a_damaged_ledger_is_left_to_the_stages_and_reported(
    server: Server, desired: DesiredPipeline, store: Any
) -> None:
    store.pipe_file("/store/flights/deployments/000001.json", b"{")
    run, notes = _submit(server, desired)
    assert run["parameters"]["champion"] == f"auto {PER_RUN}" and run["parameters"]["source_fingerprint"] == PER_RUN
    assert "stages will look up the champion" in notes[-1]


def test_parameters_are_read_by_the_pipelines_types(desired: DesiredPipeline) -> None:
    assert read_parameters(desired, ["spans=7", "trials=7", "source=s3://a/b=c.csv"]) == {
        "spans": "7", "trials": 7, "source": "s3://a/b=c.csv"
    }  # fmt: skip
    with pytest.raises(ConfigError, match="write NAME=VALUE"):
        read_parameters(desired, ["spans"])


def test_a_parameter_that_does_not_fit_starts_nothing(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    with pytest.raises(ConfigError, match="must be a whole number"):
        submit(server, desired, read_parameters(desired, ["trials=many"]), cause="x", cache=True)
    assert held.writes() == []


def _followed(server: Server, held: KfpServer, *looks: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    held.runs.append({"run_id": "r", "state": "PENDING"})
    held.course = list(looks)
    lines: list[str] = []
    return wait_for_run(server, "r", lines.append, poll=0), [" ".join(line.split()) for line in lines]


def test_a_run_is_followed_by_our_stages_and_not_by_argos_nodes(server: Server, held: KfpServer) -> None:
    begun = [task("root-driver", "SUCCEEDED"), task("executor(0)", "RUNNING"), task("ingest", "RUNNING")]
    ended = [task("root", "SUCCEEDED"), task("ingest", "SUCCEEDED"), task("validate", "SKIPPED"), task("transform", "")]
    run, printed_lines = _followed(
        server,
        held,
        {"state": "PENDING"},  # no run_details yet
        {"state": "RUNNING", "run_details": {"task_details": begun}},
        {"state": "SUCCEEDED", "run_details": {"task_details": ended}},
    )
    assert run["state"] == "SUCCEEDED"
    assert printed_lines == ["▸ ingest running", "✓ ingest 42 s succeeded", "– validate 42 s from the cache"]


def test_a_run_that_somebody_cancels_has_an_end(server: Server, held: KfpServer) -> None:
    history = [{"state": state} for state in ("PENDING", "RUNNING", "CANCELING", "FAILED")]
    run, _ = _followed(server, held, {"state": "CANCELING"}, {"state": "FAILED", "state_history": history})
    assert final_state(run) == "CANCELED"
    retried = [*history, {"state": "RUNNING"}, {"state": "FAILED"}]
    assert final_state({**run, "state_history": retried}) == "FAILED"
    assert final_state({"state": "CANCELED"}) == "CANCELED" and final_state({"state": "SUCCEEDED"}) == "SUCCEEDED"


def test_a_stage_from_the_cache_shows_as_such_while_the_run_goes_on(server: Server, held: KfpServer) -> None:
    """KFP 2.17 says SUCCEEDED of it; its executor is what was skipped."""
    ingest = {**task("ingest", "SUCCEEDED", "t-2"), "pod_name": "t-1"}
    executor = {**task("executor", "SKIPPED"), "pod_name": "t-2"}
    validate = {**task("validate", "SUCCEEDED", "t-4"), "pod_name": "t-3"}
    ran = {**task("executor", "SUCCEEDED"), "pod_name": "t-4"}
    looks = [
        {"state": state, "run_details": {"task_details": [ingest, executor, validate, ran]}}
        for state in ("RUNNING", "SUCCEEDED")
    ]
    _, printed_lines = _followed(server, held, *looks)
    assert printed_lines == ["– ingest 42 s from the cache", "✓ validate 42 s succeeded"]


def test_a_run_that_is_cancelling_for_ever_has_an_end(server: Server, held: KfpServer) -> None:
    held.runs.append({"run_id": "r", "state": "CANCELING"})
    lines: list[str] = []
    run = wait_for_run(server, "r", lines.append, poll=0, patience=0)
    assert final_state(run) == "CANCELED" and "its workflow is gone" in lines[0]


@pytest.mark.parametrize(("phases", "over"), [([], True), (["Succeeded"], True), (["Running"], False)])
def test_a_run_that_stands_still_is_looked_for_on_the_cluster(
    server: Server, held: KfpServer, monkeypatch: pytest.MonkeyPatch, phases: list[str], over: bool
) -> None:
    pods = [{"status": {"phase": phase}} for phase in phases]
    monkeypatch.setattr("components._cluster.kubernetes_client.Cluster.__init__", lambda self: None)
    monkeypatch.setattr("components._cluster.kubernetes_client.Cluster.list_all", lambda *_: pods)
    looks = [{"state": "RUNNING", "run_details": {"task_details": [task("ingest", "RUNNING")]}}] * 5
    held.runs.append({"run_id": "r", "state": "PENDING"})
    held.course = [*looks, {"state": "SUCCEEDED"}]
    lines: list[str] = []
    run = wait_for_run(server, "r", lines.append, poll=0, patience=0)
    assert (run["state"] == "CANCELED", any("it has no pod left" in line for line in lines)) == (over, over)


def test_the_report_names_the_run_as_kubeflows_page_does(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    run, _ = _submit(server, desired)
    assert run["parameters"]["run"] == held.runs[0]["display_name"]
    named, _ = _submit(server, desired, run="the one before the holidays")
    assert named["parameters"]["run"] == "the one before the holidays"


def test_a_server_that_is_away_for_a_while_is_waited_for(
    server: Server, held: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.runs.append({"run_id": "r", "state": "SUCCEEDED"})
    held.refuse("GET", "/runs/r", 503, 14, "upstream connect error")
    lines: list[str] = []

    def repair(_: float) -> None:
        held.refusals.clear()

    monkeypatch.setattr("pipelines.kfp.run_watch.time.sleep", repair)
    monkeypatch.setattr(server.kfp._pool.connection_pool_kw["retries"], "backoff_factor", 0)
    assert wait_for_run(server, "r", lines.append)["state"] == "SUCCEEDED"
    assert len(lines) == 1 and "the run continues" in lines[0]


def _pod(stage: str, imports: float, work: float) -> dict[str, Any]:
    said = json.dumps({"stage": stage, "import_seconds": imports, "work_seconds": work})
    status = {"containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 0, "message": said}}}]}
    return {"metadata": {"labels": {"naru/stage": stage}}, "status": status}


def test_what_the_cluster_added_stands_beside_the_work(
    server: Server, held: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components._cluster.kubernetes_client.Cluster.__init__", lambda self: None)
    monkeypatch.setattr("components._cluster.kubernetes_client.Cluster.list_all", lambda *_: [_pod("ingest", 2, 10)])
    late, ended = task("ingest", "RUNNING", end=""), task("ingest", "SUCCEEDED")
    held.runs.append({"run_id": "r", "state": "SUCCEEDED"})
    held.course = [{"run_details": {"task_details": [ended]}}]  # KFP tells of the last stage after it tells of the run
    run = {"run_id": "r", "run_details": {"task_details": [late]}}
    rows = [line.split() for line in duration_lines(server, run, poll=0)]
    assert rows[1:3] == [["ingest", "succeeded", "42.0", "12.0", "30.0"], ["all", "42.0", "12.0", "30.0"]]


def test_without_kubernetes_the_totals_are_shown_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    run = {"run_id": "r", "run_details": {"task_details": [task("ingest", "SUCCEEDED")]}}
    lines = duration_lines(server, run)
    assert lines[1].split() == ["ingest", "succeeded", "42.0"] and "set KUBECONFIG" in lines[-1]
    assert duration_lines(server, {"run_id": "r"}) == []


def test_a_run_that_is_gone_is_reported(server: Server) -> None:
    with pytest.raises(ServiceError, match=r"refused \(404\).*not found"):
        wait_for_run(server, "gone", print)


def _failed(stage: str, pod: str) -> dict[str, Any]:
    return {"run_id": "r", "state": "FAILED", "run_details": {"task_details": [task(stage, "FAILED", pod)]}}


def test_a_failed_stages_own_words_are_read_from_its_pods_log(server: Server, held: KfpServer) -> None:
    held.logs["pod-1"] = LOG
    reason = find_reason(server, _failed("transform", "pod-1"))
    assert (reason.stage, reason.exit_code) == ("transform", 5)
    assert reason.text == "validation: the data was blocked: 3 anomalies\n  -> correct the data, or the schema"


def test_a_run_that_failed_before_any_stage_says_where_to_look(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    reason = find_reason(server, {"run_id": "r", "state": "FAILED"})
    assert reason.stage == "" and "KUBECONFIG" in reason.text


def test_where_the_kfp_server_cannot_read_the_log_kubernetes_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with serving(tmp_path / "config") as cluster:
        pod = "/api/v1/namespaces/kubeflow/pods/transform-1"
        cluster.put(pod, status={"phase": "Failed"})
        cluster.objects[pod]["metadata"]["labels"] = {"pipeline/runid": "r", "naru/stage": "transform"}
        cluster.objects[f"{pod}/log"] = LOG
        assert find_reason(server, _failed("transform", "pod-1")).exit_code == 5
        cluster.objects[f"{pod}/log"] = "Killed\n"
        ended = {"name": "main", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
        cluster.objects[pod]["status"]["containerStatuses"] = [ended]
        assert find_reason(server, _failed("transform", "pod-1")).text == "Killed\nOOMKilled"


@pytest.mark.parametrize(
    "log", ["Killed\n", 'naru: {"stage": "tune"}\n', 'naru: {"sta\nnaru: []\n', "naru: train: prose\n"]
)
def test_a_log_without_the_error_of_the_stage_is_no_reason(log: str) -> None:
    assert read_log(log, "train") is None


def test_the_last_try_of_a_stage_is_what_counts() -> None:
    tries = [task("ingest", "FAILED", "a"), task("ingest", "RUNNING", "b", start="2026-11-21T05:01:00Z")]
    [stage] = stages_of({"run_details": {"task_details": tries}})
    assert stage.state == "RUNNING" and stage.pods == ("a", "b")


def test_errors_of_ours_are_all_that_comes_out(server: Server, held: KfpServer, desired: DesiredPipeline) -> None:
    held.refuse("POST", "/runs", 500, 13, "Failed to create a workflow")
    with pytest.raises(NaruError, match="Failed to create a workflow"):
        _submit(server, desired)
