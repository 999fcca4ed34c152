"""What grows on a KFP server: the ended runs of a project's pipelines."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from components._core.project.keep_config import KeepRule
from components._core.store.approvals import Request
from components._core.store.ledger import Deployment
from components._kfp.kfp_client import JsonObject
from components._kfp.ownership import OwnershipLabel, read_label
from components._kfp.server_state import FINAL, Server
from components.watch.records import History
from pipelines.clean.plan import Item, KindPlan, make_plan


def plan_kfp_runs(
    server: Server,
    label: OwnershipLabel,
    rule: KeepRule,
    now: datetime,
    deployments: list[Deployment],
    requests: list[Request],
    history: History,
) -> list[KindPlan]:
    """Plan which ended runs of each of the project's pipelines are removed from the server, with their page.

    KFP leaves the artifacts of a removed run in the bucket: a lifecycle rule of the bucket removes those.

    Args:
        server: The server.
        label: The ownership label of the project's objects.
        rule: What is kept of each pipeline's runs.
        now: The time.
        deployments: The deployment ledger: the runs of these versions stay.
        requests: The requests for approval that wait: the runs of these versions stay.
        history: The records of triggers: the runs of decisions in flight stay.

    Raises:
        NaruError: When the server cannot be reached, or refuses.
    """
    pipelines = {str(one["pipeline_id"]): one for one in server.pipelines() if _is_ours(read_label(one), label)}
    protected = {line.run for line in deployments} | {request.asked.run for request in requests}
    protected |= {decision.claimed.run for decision in history.in_flight}
    by_pipeline: dict[str, list[Item]] = {}
    for run in server.runs_of(pipelines):
        if run.get("state") in FINAL:
            by_pipeline.setdefault(_pipeline_of(run), []).append(_item(server, run))
    plans = []
    for pipeline, items in sorted(by_pipeline.items()):
        name = pipelines[pipeline].get("display_name") or pipelines[pipeline].get("name")
        items.sort(key=lambda item: item.changed)
        reason = "of deployed or waiting versions, or in flight"
        plans.append(make_plan(f"runs of {name}", items, rule, now, protected=protected, reason=reason))
    return plans


def _is_ours(found: OwnershipLabel | None, label: OwnershipLabel) -> bool:
    return found is not None and (found.owner, found.project) == (label.owner, label.project)


def _pipeline_of(run: JsonObject) -> str:
    return str(run.get("pipeline_version_reference", {}).get("pipeline_id", ""))


def _item(server: Server, run: JsonObject) -> Item:
    ended = str(run.get("finished_at") or run.get("created_at") or "1970-01-01T00:00:00+00:00")
    changed = datetime.fromisoformat(ended)
    changed = changed if changed.tzinfo else changed.replace(tzinfo=UTC)
    return Item(str(run.get("display_name")), changed, 1, 0, partial(server.delete_run, str(run["run_id"])))
