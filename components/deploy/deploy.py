"""Deploy a version: serve the registered copy, hold its answers against evaluate's offline ones, make it the champion."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from components._core.checks import Check, Outcome, judge
from components._core.errors import DataError, ServiceError
from components._core.examples.samples import Sample
from components._core.files import read_json, write_json
from components._core.project.project_file import Project
from components._core.settings import SERVING, Settings
from components._core.store.conditional_writes import check_conditional_writes
from components._core.store.file_digests import Digests
from components._core.store.ledger import current_champion, identity_of
from components._core.types.artifact_files import COMPARED, REGISTRATION, ROLLOUT, SAMPLE
from components.deploy.deploy_page import bind, rollout_page
from components.deploy.promotion import ChampionChangedError, Compared, promote
from components.deploy.targets.local.side_by_side import Trial, try_out
from components.deploy.targets.seldon.manifest import ModelVersion


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
    champion = current_champion(settings.store, project.name)
    try:
        compared = _load_compared(evaluation)
        if champion is None or champion.identity != identity_of(registered["version"], registered["model"]):
            compared.check(champion)
        if settings.serving == "seldon":
            return _on_cluster(project, settings, registered, why, compared)
        return _on_loopback(project, settings, registered, why, compared, _load_sample(evaluation, registered))
    except ChampionChangedError as error:
        return judge([_changed(error)]), None, {}
    except DataError as error:
        return judge([Check("answers", "fail", reason=str(error))]), None, {"error": str(error)}


def _on_loopback(
    project: Project, settings: Settings, registered: dict[str, Any], why: str, compared: Compared, sample: Sample
) -> tuple[Outcome, Trial | None, dict[str, Any]]:
    champion = current_champion(settings.store, project.name)
    try:
        trial = try_out(project, settings, registered, sample, champion)
    except ServiceError as error:
        return judge([Check("answers", "fail", reason=str(error))]), None, {"error": str(error)}
    checks = [*trial.checks, *_check_store(settings)]
    outcome = judge(checks, f"version {registered['version']} is the champion")
    details = _details(trial)
    if outcome.verdict == "blocked":
        return outcome, trial, details
    try:
        promoted = promote(settings, project.name, registered, why, compared)
    except ChampionChangedError as error:
        return judge([*checks, _changed(error)]), trial, details
    return outcome, trial, {**details, "deployment": asdict(promoted)}


def _on_cluster(
    project: Project, settings: Settings, registered: dict[str, Any], why: str, compared: Compared
) -> tuple[Outcome, Trial | None, dict[str, Any]]:
    from components.deploy.rollout.roll_out import (  # brings the client of Kubernetes
        load_placement,
        put_back,
        roll_out,
    )

    model = ModelVersion(registered["version"], registered["model"])
    placement = load_placement(project, settings.namespace)
    shares = project.serve.canary.shares
    result = roll_out(
        project,
        settings,
        model,
        placement=placement,
        why=why,
        shares=shares,
        check=compared.check,
        registration=registered.get("registration_sha256", ""),
    )
    checks = [*result.checks, *_check_store(settings)]
    outcome = judge(checks, result.reason)
    details: dict[str, Any] = {"changes": [asdict(change) for change in result.changes]}
    if outcome.verdict == "blocked":
        return replace(outcome, reason=result.reason.partition("\n")[0]), None, details
    try:
        promoted = promote(settings, project.name, registered, why, compared)
    except ChampionChangedError as error:
        put_back(project, settings, error.now, placement=placement)
        return judge([*checks, _changed(error)]), None, details
    return outcome, None, {**details, "deployment": asdict(promoted)}


def _check_store(settings: Settings) -> list[Check]:
    check = check_conditional_writes(settings.store)
    return [check] if check else []


def _changed(error: ChampionChangedError) -> Check:
    return Check("champion", "fail", reason=f"{error.message}; {error.remedy}")


def _load_compared(evaluation: Path) -> Compared:
    """The champion that evaluate compared the version with.

    Raises:
        DataError: When evaluate did not say.
    """
    path = evaluation / COMPARED
    if not path.is_file():
        told = "evaluate did not leave which champion it compared with: it is of an earlier Naru"
        raise DataError(told, where=str(path), remedy="run the pipeline again from evaluate on, without its cache")
    champion = read_json(path)["champion"]
    remedy = "run again (naru run, or naru submit on a cluster): it compares with the champion of then, and trains nothing anew"
    return Compared(tuple(champion) if champion else None, "evaluate", remedy)


def _load_sample(evaluation: Path, registered: dict[str, Any]) -> Sample:
    """The offline answers.

    Raises:
        DataError: When evaluate left none: nothing can be proven then.
        ModelError: When they are not those that were registered.
    """
    path = evaluation / SAMPLE
    if not path.is_file():
        told = "evaluate left no offline answers: it is of an earlier Naru, or the test split has no row to send"
        remedy = (
            "run the pipeline again from evaluate on, without its cache; if it stays, give the test split more rows"
        )
        raise DataError(told, where=str(path), remedy=remedy)
    hashes: dict[str, str] = registered.get("sha256", {})
    if SAMPLE in hashes:
        Digests(hashes, REGISTRATION).check_file(path, SAMPLE)
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
