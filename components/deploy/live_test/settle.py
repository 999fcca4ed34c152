"""Looks at the live test that goes on, and judges it once: when everything is there that it waits for, or at its deadline.

The command that looks may be killed after any step; the same command again goes on from there. A version that was promoted, and whose test has no
line `ended` yet, gets it from the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from components._core.checks import Outcome, finite_or_none
from components._core.project.approval_config import Approval
from components._core.project.project_file import Project
from components._core.request_log.live_test_lines import live_test_uri, read_live_lines
from components._core.request_log.location import log_uri
from components._core.settings import Settings
from components._core.store.ledger import current_champion, find_deployment, read_deployments
from components._core.store.live_tests import STOPPED, LiveTest, LiveVerdict, find_open, read_live_tests
from components.deploy.approval import request_approval
from components.deploy.into_service import Change
from components.deploy.live_test.contract import Evidence, Judgement, Progress
from components.deploy.live_test.damaged_lines import judge_damaged, show_damaged
from components.deploy.live_test.end import end_by_champion, end_live_test, take_turn
from components.deploy.live_test.make_way import stop_open
from components.deploy.live_test.table import MODES
from components.deploy.live_test.versions import read_version
from components.deploy.promotion import ChampionChangedError, Compared, promote

ReadLabels = Callable[[datetime], pa.Table | None]
"""Reads the labels that are there at a time: `id`, `row`, `label`; None: the project has none."""


@dataclass(frozen=True)
class Look:
    """What a look at the test found.

    Attributes:
        test: The test: the one that goes on, or that ended now, or the newest; None: there was never one.
        progress: How far it is; None when it did not go on.
        is_new: Whether it ended by this look.
    """

    test: LiveTest | None
    progress: Progress | None = None
    is_new: bool = False


def look_at_live_test(project: Project, settings: Settings, read_labels: ReadLabels, now: datetime) -> Look:
    """Judge the test that goes on where it is time, else say how far it is.

    Args:
        project: The project.
        settings: Settings with the store and MLflow.
        read_labels: Reads the labels.
        now: The present.

    Raises:
        ServiceError: When a log of the store is damaged, or MLflow failed.
        UnavailableError: When the store does not answer.
    """
    tests = read_live_tests(settings.store, project.name)
    test = find_open(tests)
    if test is None:
        return Look(tests[-1] if tests else None)
    if end_by_champion(settings.store, project.name, test, current_champion(settings.store, project.name)):
        return Look(_again(project, settings, test), is_new=True)
    evidence = _collect(project, settings, test, read_labels, now)
    progress = show_damaged(MODES[test.began.mode].measure(evidence), evidence.lines)
    if not progress.is_complete and now < test.deadline:
        return Look(test, progress)
    with take_turn(settings.store, project.name, test) as is_ours:
        if is_ours:
            _judge(project, settings, test, evidence)
    return Look(_again(project, settings, test), progress, is_new=is_ours)


def stop_live_test(project: Project, settings: Settings, reason: str) -> LiveTest | None:
    """End the test that goes on, for a reason that a person gives; the champion stays. None when none goes on, or it was judged at this moment, or its version was promoted.

    Raises:
        ServiceError: When a log of the store is damaged.
        UnavailableError: When the store does not answer.
    """
    test = stop_open(project.name, settings.store, reason)
    return _again(project, settings, test) if test else None


def _collect(project: Project, settings: Settings, test: LiveTest, read_labels: ReadLabels, now: datetime) -> Evidence:
    log = log_uri(project.serve.request_log, settings.store, project.name)
    champion = find_deployment(read_deployments(settings.store, project.name), test.champion[0])
    return Evidence(
        project,
        test.began,
        read_version(champion),
        read_version(test.deployment(settings.store, project.name)),
        read_live_lines(live_test_uri(log, test.name), now),
        read_labels(now),
    )


def _judge(project: Project, settings: Settings, test: LiveTest, evidence: Evidence) -> None:
    judgement = judge_damaged(MODES[test.began.mode].judge(evidence), evidence.lines)
    verdict: LiveVerdict
    reason = judgement.reason
    if judgement.verdict == "promote":
        verdict, reason = _bring_in(project, settings, test, judgement)
    else:
        verdict = "refused" if judgement.verdict == "refuse" else "inconclusive"
    ending: dict[str, Any] = {
        "verdict": verdict,
        "reason": reason,
        "checks": finite_or_none([asdict(check.rounded()) for check in judgement.checks]),
        "figures": finite_or_none(dict(judgement.figures)),
    }
    end_live_test(settings.store, project.name, test, **ending)


def _bring_in(project: Project, settings: Settings, test: LiveTest, judgement: Judgement) -> tuple[LiveVerdict, str]:
    """Make the version the champion, or request the approval that the project wants; return what came of it, and why."""
    deployment = test.deployment(settings.store, project.name)
    title = MODES[test.began.mode].title
    why = f"{deployment.why}; {title} test {test.name}: {judgement.reason}"
    remedy = "run again (naru run): that compares with the new champion and reuses the training"
    compared = Compared(test.champion, f"the {title} test began", remedy)
    registered = asdict(deployment)
    began = test.began.approve  # a trigger may want another one of its runs than the project does
    approval = Approval.model_validate(began) if began else project.serve.approve
    if approval is not None:
        change = Change(project, settings, registered, why, compared)
        request = request_approval(change, approval, Outcome("ok", judgement.reason, tuple(judgement.checks)))
        return "waits", f"{judgement.reason}; waits for approval {request.name}: naru approve {test.began.version}"
    try:
        promote(settings, project.name, registered, why, compared)
    except ChampionChangedError as error:
        return STOPPED, error.message
    return "promoted", judgement.reason


def _again(project: Project, settings: Settings, test: LiveTest) -> LiveTest:
    return next(each for each in read_live_tests(settings.store, project.name) if each.name == test.name)
