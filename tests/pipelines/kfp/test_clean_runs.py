"""`naru clean --cluster` removes ended runs of the project's own pipelines from a KFP server."""

from datetime import UTC, datetime, timedelta
from typing import Any

from components._core.project.keep_config import KeepRule
from components._core.store.ledger import Deployment, append_deployment, read_deployments
from components._kfp.server_state import Server
from components.watch.records import Cause, History, Record, format_time
from pipelines.clean.clean import carry_out, plan_clean_cluster
from pipelines.clean.kfp_runs import plan_kfp_runs
from pipelines.kfp.desired_state import DesiredPipeline
from pipelines.kfp.submit_run import submit
from tests.components.kfp.kfp_server import KfpServer

NOW = datetime(2026, 12, 31, tzinfo=UTC)


def _submit(server: Server, held: KfpServer, desired: DesiredPipeline, days: list[int]) -> list[dict[str, Any]]:
    for number, day in enumerate(days):
        submit(server, desired, {}, cause="a test", cache=False, name=f"flights-{number}")
        held.runs[-1] |= {"state": "SUCCEEDED", "created_at": (NOW - timedelta(days=day)).isoformat()}
    return held.runs


def _left(held: KfpServer) -> list[str]:
    return [str(run["display_name"]) for run in held.runs]


def test_old_runs_go_and_those_that_a_ledger_or_a_decision_names_stay(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    runs = _submit(server, held, desired, [90, 80, 70, 60, 2])
    runs[3]["state"] = "RUNNING"
    append_deployment("memory://store", "flights", Deployment("5", "m", "s", "s", {}, "f", "flights-1", "t", "me", "w"))
    stranger = {"run_id": "00000000-0000-0000-0000-000000000000", "display_name": "theirs", "state": "SUCCEEDED"}
    held.runs.append(
        {**stranger, "pipeline_version_reference": {"pipeline_id": "another"}, "created_at": "2020-01-01T00:00:00Z"}
    )
    plans = plan_clean_cluster(desired.folder, KeepRule(age=timedelta(days=30)), server, desired, NOW)
    assert _left(held) == ["flights-0", "flights-1", "flights-2", "flights-3", "flights-4", "theirs"]
    list(carry_out(plans))
    assert _left(held) == ["flights-1", "flights-3", "flights-4", "theirs"]
    list(carry_out(plans))
    assert _left(held) == ["flights-1", "flights-3", "flights-4", "theirs"], "a run that is gone already is no error"


def test_the_newest_of_each_pipeline_and_runs_in_flight_stay(
    server: Server, held: KfpServer, desired: DesiredPipeline
) -> None:
    _submit(server, held, desired, [5, 4, 3, 2])
    claimed = Record(
        "claimed", format_time(NOW), (Cause("k", "new_data", "data", "new"),), run="flights-0", line="000001-n"
    )
    deployments = read_deployments("memory://store", "flights")
    (plan,) = plan_kfp_runs(server, desired.label, KeepRule(newest=2), NOW, deployments, [], History([claimed]))
    assert [item.name for item in plan.removed] == ["flights-1"] and plan.kept == 3
    assert plan.kind == "runs of flights-training"
