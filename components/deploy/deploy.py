"""Deploy a version: serve the registered copy, compare its answers with evaluate's offline ones, make it the champion."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from components._core.checks import Check, Outcome, judge
from components._core.errors import DataError
from components._core.examples.samples import Sample
from components._core.files import read_json, write_json
from components._core.project.project_file import Project
from components._core.setting_names import SERVING
from components._core.settings import Settings
from components._core.stage.run_record import MADE_BY, Code, make_run_record, to_stage_record
from components._core.store.file_digests import Digests
from components._core.store.ledger import current_champion, identity_of
from components._core.types.artifact_files import COMPARED, REGISTRATION, ROLLOUT, RUN_RECORD, SAMPLE
from components.deploy.approval import ask_for_approval
from components.deploy.comparison import Comparison
from components.deploy.deploy_page import bind, rollout_page
from components.deploy.into_service import Change, bring_into_service, champion_changed
from components.deploy.live_test.begin import begin_live_test
from components.deploy.promotion import ChampionChangedError, Compared
from components.deploy.targets.placement import load_placement
from components.deploy.targets.table import NONE, find_target


def deploy_version(
    project: Project,
    *,
    run: str,
    cause: str,
    evaluation: Path,
    history: Path,
    registration: Path,
    pages: list[Path],
    stages: list[dict[str, Any]],
    rollout: Path,
    report: Path,
) -> Outcome:
    """Test the registered version on a server, make it the champion, bind the report. See `component.py`.

    The record of the run is in `run.json`, whatever was decided. Times of requests are in `rollout.json`, the checks and
    the page; `Outcome.metrics` holds only reproducible numbers.

    Raises:
        ServiceError: When MLflow, the store or the ledger failed. A server that fails its test gives the verdict `blocked` instead.
    """
    started = time.perf_counter()
    registered = read_json(registration / REGISTRATION)
    why = ": ".join(filter(None, [f"training run {run}".strip(), cause]))
    outcome, comparison, details = _deploy(project, registered, why, evaluation)
    write_json(rollout / ROLLOUT, {"version": registered["version"], "verdict": outcome.verdict, **details})
    page = rollout_page(outcome, registered["version"], comparison, project.gates.serving, details.get("changes", []))
    page.save(rollout)
    seconds = round(time.perf_counter() - started, 3)
    own = {"stage": "deploy", "verdict": outcome.verdict, "reason": outcome.reason, "work_seconds": seconds}
    record = make_run_record(
        project,
        run=run,
        cause=cause,
        code=Code(**registered.get(MADE_BY, {})),
        stages=[to_stage_record(end) for end in [*stages, own]],
        artifacts={"evaluation": evaluation, "history": history, "registration": registration},
    )
    write_json(rollout / RUN_RECORD, asdict(record))
    bind(project, record, evaluation, pages, page, [*stages, own], report)
    return outcome


def _deploy(
    project: Project, registered: dict[str, Any], why: str, evaluation: Path
) -> tuple[Outcome, Comparison | None, dict[str, Any]]:
    if registered["version"] is None:
        return Outcome("skipped", f"nothing to deploy: {registered['reason']}"), None, {}
    settings = Settings.from_environment()
    open_target = find_target(settings.serving)
    if open_target is None:
        return Outcome("skipped", f"no serving target ({SERVING} is {NONE})"), None, {}
    champion = current_champion(settings.store, project.name)
    try:
        compared = _load_compared(evaluation)
        is_champion = champion is not None and champion.identity == identity_of(
            registered["version"], registered["model"]
        )
        if not is_champion:
            compared.check(champion)
        target = open_target(project, settings, partial(load_placement, project, settings.namespace))
        change = Change(project, settings, registered, why, compared)
        load_sample = partial(_load_sample, evaluation, registered)
        if not is_champion and (begun := begin_live_test(change, target, load_sample)) is not None:
            return begun
        if project.serve.approve is not None and not is_champion:
            return ask_for_approval(change, project.serve.approve, target, load_sample)
        return bring_into_service(change, target, load_sample)
    except ChampionChangedError as error:
        return judge([champion_changed(error)]), None, {}
    except DataError as error:
        return judge([Check("answers", "fail", reason=str(error))]), None, {"error": str(error)}


def _load_compared(evaluation: Path) -> Compared:
    """Load the champion that evaluate compared the version with.

    Raises:
        DataError: When evaluate did not record it.
    """
    path = evaluation / COMPARED
    if not path.is_file():
        message = "evaluate did not record which champion it compared with: it was run by an earlier Naru"
        raise DataError(message, where=str(path), remedy="run the pipeline again from evaluate on, without its cache")
    champion = read_json(path)["champion"]
    remedy = (
        "run again (naru run, or naru submit on a cluster): that compares with the new champion and reuses the training"
    )
    return Compared(tuple(champion) if champion else None, "evaluate", remedy)


def _load_sample(evaluation: Path, registered: dict[str, Any]) -> Sample:
    """Load the offline answers.

    Raises:
        DataError: When evaluate wrote none, so that nothing can be tested.
        ModelError: When they are not the registered ones.
    """
    path = evaluation / SAMPLE
    if not path.is_file():
        message = (
            "evaluate wrote no offline answers: it was run by an earlier Naru, or the test split has no row to send"
        )
        remedy = (
            "run the pipeline again from evaluate on, without its cache; if that does not help, enlarge the test split"
        )
        raise DataError(message, where=str(path), remedy=remedy)
    hashes: dict[str, str] = registered.get("sha256", {})
    if SAMPLE in hashes:
        Digests(hashes, REGISTRATION).check_file(path, SAMPLE)
    return Sample.load(path)
