"""`naru live-test`: how far the live test of a version is, what came of it, and its end at the hand of a person."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from components._core.credentials import mask_credentials
from components._core.errors import ConfigError
from components._core.project.project_file import Project, load_project
from components._core.settings import Settings
from components._core.store.live_tests import LiveTest
from components.deploy.live_test.settle import stop_live_test
from components.deploy.live_test.table import MODES
from components.deploy.settle.look import describe_look, follow, look
from pipelines.cluster.server_placement import place_servers
from pipelines.compile_target import Target
from pipelines.local.workspace import find_workspace

_LEAST_REASON = 3


def show_live_test(folder: Path, stop: str = "", now: datetime | None = None) -> list[str]:
    """Judge the live test of a project where it is time, or end it, and describe it in lines.

    Args:
        folder: The project's folder.
        stop: Why a person ends it; empty: nobody does.
        now: The present; None: that of the clock.

    Raises:
        ConfigError: When the reason is too short, or no test goes on that could be ended.
        ServiceError: When a log of the store is damaged, or MLflow failed.
        UnavailableError: When the store does not answer.
    """
    project, settings = load_project(folder), find_workspace(folder).settings()
    if stop:
        return _stop(project, settings, stop)
    found = look(project, settings, folder, now or datetime.now(UTC))
    if found.test is None:
        return ["no version was in a live test yet; serve.rollout: shadow or ab in project.yaml makes deploy begin one"]
    return describe_look(found)


def follow_on_target(folder: Path, target: Target) -> list[str]:
    """Bring what is served on a cluster in line with what a look found; see `follow`. Returns what was done.

    Args:
        folder: The project's folder.
        target: Where the server's image and the pools are.
    """
    project, settings = load_project(folder), find_workspace(folder).settings()
    return follow(project, settings, partial(place_servers, project, target, settings.namespace))


def describe_row(test: LiveTest) -> list[list[str]]:
    """Describe a test as rows of `naru ledger`: when, who, what, shares, why."""
    began, title = test.began, MODES[test.began.mode].title
    share = _shares(test)
    rows = [[began.at, began.by, f"begin {title} test of version {began.version}", share, f"{began.needed:,} needed"]]
    if test.ended is not None:
        what = f"end {title} test of version {began.version} ({test.ended.verdict})"
        rows.append([test.ended.at, test.ended.by, what, "", test.ended.reason])
    return rows


def _shares(test: LiveTest) -> str:
    if test.began.mode == "shadow":
        return f"{test.champion[0]}: 100 %"
    share = 100 * float(test.began.settings.get("share", 0))
    return f"{test.began.version}: {share:g} %, {test.champion[0]}: {100 - share:g} %"


def _stop(project: Project, settings: Settings, reason: str) -> list[str]:
    reason = " ".join(mask_credentials(reason).split())
    if len(reason) < _LEAST_REASON:
        raise ConfigError("a reason is missing; allowed: a sentence", where="--stop")
    test = stop_live_test(project, settings, reason)
    if test is None:
        raise ConfigError("no live test goes on", where=project.name, remedy="naru ledger shows those that ended")
    return [
        f"the test of version {test.began.version} has ended: {reason}; version {test.champion[0]} stays the champion"
    ]
