"""`naru live-test`: how far the live test of a version is, what came of it, and its end at the hand of a person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from components._core.credentials import mask_credentials
from components._core.errors import ConfigError
from components._core.project.project_file import Project, load_project
from components._core.settings import Settings
from components._core.store.live_tests import LiveTest
from components._feedback.latest_labels import read_latest_labels
from components.deploy.live_test.end import describe_end
from components.deploy.live_test.settle import Look, ReadLabels, look_at_live_test, stop_live_test
from components.deploy.live_test.table import MODES
from components.feedback.join_settings import find_settings
from pipelines.local.workspace import find_workspace

_LEAST_REASON = 3
_WIDTH = 12


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


def look(project: Project, settings: Settings, folder: Path, now: datetime) -> Look:
    """Look at the live test of a project; see `look_at_live_test`."""
    return look_at_live_test(project, settings, label_reader(project, settings.store, folder), now)


def label_reader(project: Project, store: str, folder: Path) -> ReadLabels:
    """Return what reads the labels of a project by the ids of answers; without such labels it returns None.

    Args:
        project: The project.
        store: Root of the object store.
        folder: The project's folder.
    """
    feedback = project.feedback
    if feedback is None or (feedback.labels is not None and feedback.labels.key):
        return lambda _: None
    return lambda now: read_latest_labels(find_settings(project, store, folder), now)


def describe_look(found: Look) -> list[str]:
    """Describe a test in lines, the last one what comes next or what came of it."""
    test = found.test
    if test is None:
        return []
    lines = [
        _line("test", f"{test.name}, {MODES[test.began.mode].title}"),
        _line(
            "versions", f"{test.began.version} beside the champion {test.champion[0]}, since {_moment(test.began.at)}"
        ),
    ]
    if found.progress is not None:
        lines += [_line(name, text) for name, text in found.progress.facts.items()]
    return [*lines, *_describe_checks(test), _describe_state(found, test)]


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


def _line(name: str, text: str) -> str:
    return f"{name:<{_WIDTH}}{text}" if len(name) < _WIDTH else f"{name}: {text}"


def _moment(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"


def _describe_checks(test: LiveTest) -> list[str]:
    return (
        [_line(str(check["status"]), f"{check['name']}: {check['reason']}") for check in test.ended.checks]
        if test.ended
        else []
    )


def _describe_state(found: Look, test: LiveTest) -> str:
    if test.ended is not None:
        return describe_end(test)
    progress = found.progress
    if progress is None:
        return ""
    what = MODES[test.began.mode].counted
    return f"goes on: {progress.done:,} of {progress.needed:,} {what}; judged once, when all are there, or at {_moment(test.began.until)}"
