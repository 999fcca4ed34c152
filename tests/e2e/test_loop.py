"""The loop on a cluster: a served model gets worse, the monitor measures it, a trigger retrains once, a canary is promoted, the baseline moves.

The tests build on one another, in this order. Hours are compressed: beside live traffic, answers of hours that have passed are written as
a server writes them, with what became of them as labels in S3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.project.placeholders import PER_RUN
from components._core.request_log.layout import hour_folder
from components._core.store.ledger import Deployment, read_deployments
from components._core.store.object_store import list_names, put, read_bytes
from components._core.store.run_claims import read_holder
from components._core.types.artifact_files import SIGNATURE
from components._core.types.signature import Signature
from components._feedback.span_store import SpanStore, feedback_home
from components._kfp.server_state import FINAL, Server
from components.watch.records import Decision, History, open_records, read_history
from pipelines.kfp.failure_reasons import find_reason
from tests.e2e.database import kubectl
from tests.e2e.flights import LOOP, read_rows, write_project
from tests.e2e.models import TRAFFIC, champion_of, send_requests
from tests.e2e.seldon.asking import read_asked
from tests.e2e.world import World, until

pytestmark = pytest.mark.e2e

WRITTEN_ROWS = 1_200
PIPELINES = ("training", "prediction", "monitoring", "feedback", "watch")
_LOOP = """
feedback:
  labels: {{source: "{store}/e2e-labels/", id: id, row: row, label: late, time: known_at}}
  wait: 1h
  min_rows: 100
  schedule: "15 */2 * * * *"
monitor: {{window: 24h, schedule: "0 * * * * *"}}
triggers:
  watch: "30 * * * * *"
  limits: {{cooldown: 0s, per_day: 10}}
  on:
    - {{name: worse, performance: {{drop: 0.1}}, parameters: {{spans: 1-2, epochs: 6}}}}
    - {{name: moved, distribution: {{features: [dep_delay], windows: 1 of 1}}}}
"""
_SERVE = """
  request_log: {}
  canary: {shares: [50], bake_seconds: 10, min_requests: 20}
"""


@pytest.fixture(scope="module")
def looped(world: World, source: str, serving: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project's folder, on a cluster that serves; at the end nothing of it fires any more."""
    folder = write_project(
        tmp_path_factory.mktemp("loop"), f"{source}/flights-{{span}}.csv", name=LOOP, data="spans: '1'"
    )
    file = folder / "project.yaml"
    text = file.read_text().replace("gates: {model: {thresholds: {auc: {min: 0.7}}, slices: [origin]}}", _GATES)
    head, serve = text.split("serve: {resources: ")
    section = f"serve:\n  resources: {serve.strip().removesuffix('}')}{_SERVE}"
    file.write_text(head + section + _LOOP.format(store=world.variables["NARU_STORE"]))
    yield folder
    for schedule in _schedules(world):
        Server(world.kfp).delete_schedule(schedule)


_GATES = "gates: {model: {first: deploy}}"


@pytest.fixture(scope="module")
def champion(world: World, looped: Path) -> Deployment:
    """The first champion, in service: of one epoch over one month."""
    run = world.submit(looped, "--param", "epochs=1", "--cause", "the first model")
    assert world.wait(run, "the loop's first model")["state"] == "SUCCEEDED"
    return champion_of(world, LOOP)


@pytest.fixture(scope="module")
def decision(world: World, looped: Path, champion: Deployment, traffic: str) -> Decision:
    """The decision of the watcher about labels that say that the model is worse; its pod was deleted as it had been written."""
    signature = _signature(world, champion)
    rows = read_rows(1, WRITTEN_ROWS)
    with world.here():
        send_requests(LOOP, rows.slice(0, 40), signature, pause=0.5)
        labels = _write_answers(world, signature, champion.version, rows, "first", are_wrong=True)
        put(labels.encode(), f"{world.variables['NARU_STORE']}/e2e-labels/first.csv")
    until(lambda: _span(world), "the recurring join writes a span", 600)
    claimed = until(lambda: next(iter(_history(world).decisions), None), "the watcher decides", 600)
    kubectl("delete", "pods", "-n", world.environment.kfp_namespace, "-l", "naru/stage=watch",
            "--field-selector=status.phase=Running", "--grace-period=0", "--force", "--wait=false")  # fmt: skip
    return claimed


def test_every_pipeline_of_the_project_is_brought_there_with_its_recurring_run(world: World, looped: Path) -> None:
    changes = world.naru("apply", str(looped)).well()
    for name in PIPELINES:
        assert f"create  pipeline {LOOP}-{name}" in changes
    assert ": 0 changed" in world.naru("apply", str(looped)).well()
    assert "nothing would change" in world.naru("plan", str(looped)).well()
    names = {one.raw["display_name"] for one in _schedules(world)}
    assert names == {f"{LOOP}-monitoring", f"{LOOP}-feedback", f"{LOOP}-watch"}


def test_the_monitors_recurring_run_measures_what_the_labels_say_and_its_page_is_an_artifact(
    world: World, champion: Deployment, decision: Decision
) -> None:
    result = _results(world)[-1]
    (check,) = [check for check in result["checks"] if check["kind"] == "performance"]
    assert check["measured"] < 0.3 < champion.metrics["auc"] == pytest.approx(check["baseline"], abs=1e-3)
    run = _last_run(world, "monitoring")
    pages = [key for key in world.keys(run) if key.startswith("monitor/") and key.endswith("/page")]
    assert len(pages) == 1
    assert _artifact_types(world, run) >= {"system.HTML"}


def test_the_labels_recurring_run_wrote_the_span_and_its_page_is_an_artifact(world: World, decision: Decision) -> None:
    span = _span(world)
    assert span is not None and span["rows"]["rows"] == WRITTEN_ROWS and span["number"] == 1
    run = _last_run(world, "feedback")
    assert [key for key in world.keys(run) if key.startswith("feedback/") and key.endswith("/page")]


def test_the_watcher_says_why_and_names_what_it_saw(world: World, champion: Deployment, decision: Decision) -> None:
    (cause,) = decision.claimed.causes
    assert (cause.name, cause.kind, decision.claimed.champion) == ("worse", "performance", champion.version)
    assert cause.evidence["check"] == "performance: auc" and cause.evidence["report"].endswith("monitoring.json")
    assert decision.claimed.decider.startswith("pod ")


def test_the_watcher_that_was_deleted_in_the_middle_starts_one_run_with_the_cause(
    world: World, decision: Decision
) -> None:
    name = decision.claimed.run
    run = until(lambda: Server(world.kfp).find_runs(name), "a later look starts it", 600)[0]
    given = run["runtime_config"]["parameters"]
    assert given["cause"].startswith(f"trigger {decision.claimed.number}: worse (performance: auc")
    assert (given["spans"], given["epochs"]) == ("1-2", 6)
    until(lambda: _holder(world, decision), "its first stage takes the decision", 300)
    assert _holder(world, decision) == run["run_id"]
    repeated = Server(world.kfp).start_run(
        name,
        "The same request, sent again.",
        LOOP,
        (run["pipeline_version_reference"]["pipeline_id"], run["pipeline_version_reference"]["pipeline_version_id"]),
        {**given, "claim": f"{decision.name}/{PER_RUN}"},
    )
    ended = world.wait(repeated)
    assert ended["state"] == "FAILED"
    with world.here():
        reason = find_reason(Server(world.kfp), ended)
    assert (reason.stage, reason.exit_code) == ("ingest", 9)
    assert f"taken by {run['run_id']}: this one ends without doing anything" in reason.text


def test_its_model_is_promoted_through_a_canary(world: World, decision: Decision, champion: Deployment) -> None:
    run = _holder(world, decision)
    ended = world.wait(run, "the run that the trigger started")
    assert ended["state"] == "SUCCEEDED", ended
    rollout = world.read(run, "deploy", "rollout/rollout.json")
    assert [change["action"] for change in rollout["changes"]][-1] == "promote", rollout
    promoted = champion_of(world, LOOP)
    assert any(change["shares"].get(promoted.version) == 50 for change in rollout["changes"]), rollout
    assert promoted.version != champion.version and promoted.run == decision.claimed.run
    answered = {one.version for one in read_asked(world.cluster, TRAFFIC) if one.status == 200}
    assert {champion.version, promoted.version} <= answered


def test_the_baseline_moves_and_no_second_run_starts_for_the_cause(world: World, decision: Decision) -> None:
    promoted = champion_of(world, LOOP)
    ended = until(lambda: _history(world).decisions[0].ended, "its end is recorded", 300)
    assert (ended.verdict, ended.promoted) == ("succeeded", promoted.version)
    until(lambda: _results(world)[-1]["version"] == promoted.version, "the monitor judges the new champion", 300)
    _wait_for_looks(world, 2)
    assert len(_history(world).decisions) == 1
    assert len(Server(world.kfp).find_runs(decision.claimed.run)) == 2, "the run, and the one that did nothing"
    assert [line.run for line in _deployments(world)].count(decision.claimed.run) == 1


def test_broken_data_is_a_notice_and_starts_nothing(world: World, decision: Decision) -> None:
    promoted = champion_of(world, LOOP)
    with world.here():
        rows = pa.concat_tables([read_rows(1, WRITTEN_ROWS), read_rows(2, WRITTEN_ROWS)])
        _write_answers(world, _signature(world, promoted), promoted.version, rows, "broken", is_broken=True)
    notice = until(lambda: next(iter(_history(world).of_state("notice")), None), "the watcher records a notice", 600)
    assert notice.causes[0].kind == "invariant" and "dep_delay" in notice.why
    _wait_for_looks(world, 2)
    assert len(_history(world).decisions) == 1
    refused = [record for record in _history(world).of_state("refused") if record.reason == "invariant"]
    assert {cause.name for record in refused for cause in record.causes} <= {"moved"}


def _write_answers(
    world: World,
    signature: Signature,
    version: str,
    rows: pa.Table,
    name: str,
    *,
    are_wrong: bool = False,
    is_broken: bool = False,
) -> str:
    """Write answers of three hours that are closed, as a server writes them; returns their labels as CSV."""
    now = datetime.now(UTC)
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    lines: dict[str, list[str]] = {}
    labels = ["id,row,late,known_at"]
    for place, row in enumerate(rows.to_pylist()):
        at = first + timedelta(hours=place % 3, seconds=place % 3_000)
        late = bool(row["late"])
        inputs = {feature.name: [row[feature.name]] for feature in signature.inputs}
        if is_broken and place % 2:
            inputs["dep_delay"] = [90_000]
        likely = late != are_wrong
        line = {
            "id": f"{name}-{place}",
            "time": at.isoformat(timespec="microseconds"),
            "model": LOOP,
            "version": version,
            "latency_ms": 2.0,
            "inputs": inputs,
            "masked": [],
            "outputs": {"probability": [(0.7 if likely else 0.1) + 0.2 * (place % 97) / 97]},
            "share": 1.0,
            "schema": "",
            "log": 2,
        }
        lines.setdefault(hour_folder(at.timestamp()), []).append(json.dumps(line))
        labels.append(f"{name}-{place},0,{int(late)},{now.isoformat(timespec='seconds')}")
    for folder, held in lines.items():
        uri = f"{world.variables['NARU_STORE']}/{LOOP}/requests/{folder}/e2e-{name}.jsonl"
        put(("\n".join(held) + "\n").encode(), uri)
    return "\n".join(labels) + "\n"


def _signature(world: World, deployment: Deployment) -> Signature:
    with world.here():
        content = read_bytes(f"{deployment.model.rstrip('/')}/{SIGNATURE}")
    assert content
    return Signature.from_json(json.loads(content))


def _deployments(world: World) -> list[Deployment]:
    with world.here():
        return list(read_deployments(world.variables["NARU_STORE"], LOOP))


def _history(world: World) -> History:
    with world.here():
        return read_history(open_records(world.variables["NARU_STORE"], LOOP))


def _holder(world: World, decision: Decision) -> str:
    with world.here():
        return read_holder(world.variables["NARU_STORE"], LOOP, decision.name)


def _results(world: World) -> list[dict[str, Any]]:
    """The results of the monitor, oldest first."""
    folder = f"{world.variables['NARU_STORE']}/{LOOP}/monitoring/runs"
    with world.here():
        found = [read_bytes(f"{folder}/{name}/monitoring.json") for name in list_names(folder)]
    return [json.loads(content) for content in found if content]


def _span(world: World) -> dict[str, Any] | None:
    """The manifest of the newest span; None before the first."""
    with world.here():
        return SpanStore(feedback_home(world.variables["NARU_STORE"], LOOP), "").last()


def _schedules(world: World) -> list[Any]:
    from tests.e2e.world import OWNER

    return [one for one in Server(world.kfp).our_schedules(OWNER) if one.label.project == LOOP]


def _runs_of(world: World, pipeline: str) -> list[dict[str, Any]]:
    """The runs of a pipeline's recurring run, newest first."""
    ids = {one.id for one in _schedules(world) if one.raw["display_name"] == f"{LOOP}-{pipeline}"}
    query = {"namespace": "", "sort_by": "created_at desc"}
    return [run for run in world.kfp.list_all("/runs", "runs", **query) if run.get("recurring_run_id") in ids]


def _last_run(world: World, pipeline: str) -> str:
    """The id of the newest run of a recurring run that ended well."""
    return str(next(run["run_id"] for run in _runs_of(world, pipeline) if run.get("state") == "SUCCEEDED"))


def _wait_for_looks(world: World, count: int) -> None:
    """Wait until so many runs of the watcher that begin from now on have ended well."""
    before = {run["run_id"] for run in _runs_of(world, "watch")}

    def ended() -> bool:
        runs = [run for run in _runs_of(world, "watch") if run["run_id"] not in before]
        assert not [run for run in runs if run.get("state") in FINAL and run["state"] != "SUCCEEDED"], runs
        return sum(run.get("state") == "SUCCEEDED" for run in runs) >= count

    until(ended, f"{count} more looks of the watcher", 600)


def _artifact_types(world: World, run: str) -> set[str]:
    """The types of the artifacts that a run's version declares, by which Kubeflow's page shows them."""
    ids = world.run(run)["pipeline_version_reference"]
    version = world.kfp.get(f"/pipelines/{ids['pipeline_id']}/versions/{ids['pipeline_version_id']}")
    spec = version.get("pipeline_spec") or {}
    components = (spec.get("pipeline_spec") or spec).get("components", {})
    return {
        output["artifactType"]["schemaTitle"]
        for component in components.values()
        for output in component.get("outputDefinitions", {}).get("artifacts", {}).values()
    }
