"""Deploy a version: serve the registered copy, hold its answers against evaluate's offline ones, make it the champion."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from components._core.artifacts import REGISTRATION, ROLLOUT, SAMPLE
from components._core.checks import Check, Outcome, judge
from components._core.errors import DataError, ServiceError
from components._core.files import read_json, write_json
from components._core.ledger import current_champion
from components._core.project import Project
from components._core.samples import Sample
from components._core.settings import SERVING, Settings
from components.deploy.promoting import promote
from components.deploy.reporting import bind, rollout_page
from components.deploy.seldon.rendering import ModelVersion
from components.deploy.trial import Trial, try_out


def deploy_version(
    project: Project,
    *,
    run: str,
    cause: str,
    examples: Path,
    evaluation: Path,
    registration: Path,
    pages: list[Path],
    stages: list[dict[str, Any]],
    rollout: Path,
    report: Path,
) -> Outcome:
    """Prove that the registered version answers, make it the champion, bind the report. See `component.py`.

    Times of requests are in `rollout.json`, the checks and the page; `Outcome.metrics` holds what repeats.

    Raises:
        ServiceError: When MLflow, the store or the ledger failed. A server that fails its test is no error: the verdict is `blocked`.
    """
    started = time.perf_counter()
    registered = read_json(registration / REGISTRATION)
    why = ": ".join(filter(None, [f"training run {run}".strip(), cause]))
    outcome, trial, details = _deploy(project, registered, why, evaluation)
    write_json(rollout / ROLLOUT, {"version": registered["version"], "verdict": outcome.verdict, **details})
    page = rollout_page(outcome, registered["version"], trial, project.gates.serving, details.get("changes", []))
    page.save(rollout)
    seconds = round(time.perf_counter() - started, 3)
    own = {"stage": "deploy", "verdict": outcome.verdict, "reason": outcome.reason, "work_seconds": seconds}
    bind(project, run, cause, examples, pages, page, [*stages, own], report)
    return outcome


def _deploy(
    project: Project, registered: dict[str, Any], why: str, evaluation: Path
) -> tuple[Outcome, Trial | None, dict[str, Any]]:
    if registered["version"] is None:
        return Outcome("skipped", f"nothing to deploy: {registered['reason']}"), None, {}
    settings = Settings.from_environment()
    if settings.serving == "none":
        return Outcome("skipped", f"no serving target ({SERVING} is none)"), None, {}
    if settings.serving == "seldon":
        return _on_cluster(project, settings, registered, why)
    champion = current_champion(settings.store, project.name)
    try:
        trial = try_out(project, settings, registered, _load_sample(evaluation), champion)
    except (ServiceError, DataError) as error:
        return judge([Check("answers", "fail", reason=str(error))]), None, {"error": str(error)}
    outcome = judge(trial.checks, f"version {registered['version']} is the champion")
    details = _details(trial)
    if outcome.verdict == "blocked":
        return outcome, trial, details
    promoted = promote(settings, project.name, registered, why)
    return outcome, trial, {**details, "deployment": asdict(promoted)}


def _on_cluster(
    project: Project, settings: Settings, registered: dict[str, Any], why: str
) -> tuple[Outcome, Trial | None, dict[str, Any]]:
    from components.deploy.on_cluster import load_placement, roll_out  # brings the client of Kubernetes

    model = ModelVersion(registered["version"], registered["model"])
    placement = load_placement(project, settings.namespace)
    shares = project.serve.canary.shares
    result = roll_out(project, settings, model, placement=placement, why=why, shares=shares)
    outcome = judge(result.checks, result.reason)
    details: dict[str, Any] = {"changes": [asdict(change) for change in result.changes]}
    if outcome.verdict == "blocked":
        return replace(outcome, reason=result.reason.partition("\n")[0]), None, details
    promoted = promote(settings, project.name, registered, why)
    return outcome, None, {**details, "deployment": asdict(promoted)}


def _load_sample(evaluation: Path) -> Sample:
    """The offline answers.

    Raises:
        DataError: When evaluate left none: nothing can be proven then.
    """
    path = evaluation / SAMPLE
    if not path.is_file():
        told = "evaluate left no offline answers: it is of an earlier Naru, or the test split has no row to send"
        remedy = (
            "run the pipeline again from evaluate on, without its cache; if it stays, give the test split more rows"
        )
        raise DataError(told, where=str(path), remedy=remedy)
    return Sample.load(path)


def _details(trial: Trial) -> dict[str, Any]:
    probe = trial.probe
    theirs = {"name": trial.champion, **trial.theirs.numbers()} if trial.theirs else None
    return {
        "rows_compared": probe.rows,
        "rows_with_missing_values": probe.with_gaps,
        "latency_ms": {**probe.percentiles(), "batch": probe.batch_milliseconds, "batch_rows": probe.batch_rows},
        "processing": {
            "clients": trial.ours.load.clients,
            "version": trial.ours.numbers(),
            "champion": theirs,
            "not_compared": trial.not_compared,
        },
        "server_ready_seconds": round(trial.ours.cold_start_seconds, 3),
        "checks": [asdict(check) for check in trial.checks],
    }
