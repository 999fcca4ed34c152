"""A look at a project's live test: its labels, what the look found, in lines, and what is served on a cluster after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.live_tests import LiveTest, read_live_tests
from components._feedback.join_settings import find_settings
from components._feedback.latest_labels import read_latest_labels
from components.deploy.live_test.end import describe_end
from components.deploy.live_test.settle import Look, ReadLabels, look_at_live_test
from components.deploy.live_test.table import MODES
from components.deploy.rollout.live_test_servers import LiveTestServers
from components.deploy.targets.contract import RolloutTarget
from components.deploy.targets.placement import Placement
from components.deploy.targets.table import find_target

_WIDTH = 12


def look(project: Project, settings: Settings, folder: Path, now: datetime) -> Look:
    """Look at the live test of a project; see `look_at_live_test`.

    Args:
        project: The project.
        settings: Settings with the store and MLflow.
        folder: The project's folder.
        now: The present.
    """
    return look_at_live_test(project, settings, label_reader(project, settings.store, folder), now)


def follow(project: Project, settings: Settings, find_placement: Callable[[], Placement]) -> list[str]:
    """Bring what is served on a cluster in line with the records; see `LiveTestServers.follow`. Elsewhere nothing is kept in service.

    Args:
        project: The project.
        settings: Settings with the store and the deployment target.
        find_placement: Finds where servers run.

    Returns:
        What was done, in sentences; empty: nothing.

    Raises:
        ConfigError: When there is no such target.
        TakenOverError: When somebody else changes what is served meanwhile.
        ServiceError: When the cluster fails, or a version could not be brought into service.
    """
    open_target = find_target(settings.serving)
    if open_target is None or not read_live_tests(settings.store, project.name):
        return []
    target = open_target(project, settings, find_placement)
    return LiveTestServers(project, settings, target).follow() if isinstance(target, RolloutTarget) else []


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
