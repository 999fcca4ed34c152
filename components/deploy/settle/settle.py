"""The stage settle: one look at a project's live test, from a pod of the cluster that serves both versions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from components._core.checks import Outcome
from components._core.errors import ConfigError
from components._core.files import write_json
from components._core.project.project_file import Project
from components._core.report.html import write_page
from components._core.report.page import Page
from components._core.settings import Settings
from components._core.store.live_tests import LiveTest, read_live_tests
from components._core.types.artifact_files import SETTLEMENT
from components.deploy.live_test.settle import Look
from components.deploy.live_test.table import MODES
from components.deploy.settle.look import describe_look, follow, look
from components.deploy.targets.contract import TakenOverError
from components.deploy.targets.placement import load_placement

_SHOWN = 30


def settle_project(project: Project, *, settlement: Path, page: Path, now: datetime | None = None) -> Outcome:
    """Judge the live test of a project where it is time, then bring what is served in line with what came of it.

    Both steps are made up for by the next look where this one is killed: the judgement is a line of the log of live tests, and what is to be served
    follows from that and the deployment ledger.

    Args:
        project: The project, with locations as the cluster reads them.
        settlement: An empty folder for the outcome, what was found, and the page as data.
        page: Where the rendered page goes.
        now: The present; None: that of the clock.

    Raises:
        ConfigError: When the labels cannot be read as the project says.
        ServiceError: When a log of the store is damaged, MLflow or the cluster failed, or a version could not be brought into service.
        UnavailableError: When the store does not answer.
    """
    settings = Settings.from_environment()
    try:
        found = look(project, settings, Path(project.name), now or datetime.now(UTC))
    except ConfigError:  # labels that this pod cannot read: what was judged elsewhere is served all the same
        _print(_follow(project, settings))
        raise
    lines = describe_look(found)
    _print(lines)  # what was judged, whatever becomes of the servers
    done = _follow(project, settings)
    _print(done)
    lines += done
    outcome = _outcome(found, lines)
    write_json(settlement / SETTLEMENT, {"test": asdict(found.test) if found.test else None, "done": lines})
    shown = make_page(outcome, lines, read_live_tests(settings.store, project.name))
    shown.save(settlement)
    write_page(shown, page)
    return outcome


def _follow(project: Project, settings: Settings) -> list[str]:
    try:
        return follow(project, settings, partial(load_placement, project, settings.namespace))
    except TakenOverError as error:
        return [f"somebody else changes what is served at this moment, and the next look goes on: {error.message}"]


def _print(lines: list[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _outcome(found: Look, lines: list[str]) -> Outcome:
    if found.test is None:
        return Outcome("skipped", "no version was in a live test yet")
    return Outcome("ok", lines[-1])


def make_page(outcome: Outcome, lines: list[str], tests: list[LiveTest]) -> Page:
    """Make the page of a look: what it found and did, and the newest tests."""
    page = Page("settle", "Live test", outcome)
    page.text("\n".join(lines) or "This look found nothing.")
    rows: list[list[Any]] = [_row(test) for test in reversed(tests[-_SHOWN:])]
    page.table("Newest tests", ["began (UTC)", "mode", "version", "beside", "verdict", "why"], rows)
    return page


def _row(test: LiveTest) -> list[Any]:
    began, ended = test.began, test.ended
    verdict, why = (
        (ended.verdict, ended.reason) if ended else ("goes on", f"until {began.until[:16].replace('T', ' ')}")
    )
    return [
        began.at[:16].replace("T", " "),
        MODES[began.mode].title,
        began.version,
        began.champion[0],
        verdict,
        why,
    ]
