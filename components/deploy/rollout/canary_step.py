"""One step of a canary while requests go to both versions: watched for its time, and on while one of them was asked nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from components._core.errors import UnavailableError
from components._core.project.project_file import Project
from components.deploy.rollout.bake import Bake
from components.deploy.targets.seldon.observation import Seen, count_restarts
from components.deploy.targets.seldon.pods import Counts, add_up
from components.deploy.targets.seldon.target import Site, Timing

Predictions = tuple[list[Any], list[Any]]
Names = tuple[str, str]
"""Of the new version and of the one beside it."""


def watch_step(
    site: Site,
    project: Project,
    timing: Timing,
    predictors: Names,
    versions: Names,
    read: Callable[[str, str, float], Predictions] | None,
) -> Bake:
    """Watch both versions for the time of a step; what was seen of them.

    Args:
        site: Where they are served.
        project: Says how long, and what becomes of a step without requests.
        timing: The clock.
        predictors: Theirs, the new one first.
        versions: The same.
        read: Logged predictions of two versions since a moment; None: there is no request log.
    """
    started, seen = time.time(), site.see()
    before = {one: site.count(seen, one) for one in predictors}
    restarts = count_restarts(seen, predictors[0])
    seen, ours, theirs = _watch_until_asked(site, project, timing, predictors, before)
    logged, unread = _read(read, versions, started)
    return Bake(ours, theirs, max(0, count_restarts(seen, predictors[0]) - restarts), logged, unread)


def _watch_until_asked(
    site: Site, project: Project, timing: Timing, predictors: Names, before: dict[str, dict[str, Counts]]
) -> tuple[Seen, Counts, Counts]:
    """Nothing can be said of a version that was asked nothing, so it is watched on then, within a bound."""
    wanted = project.serve.canary
    until, seconds = timing.now() + wanted.bake_seconds + project.serve.wait_seconds, wanted.bake_seconds
    while True:
        seen = site.watch(predictors[0], seconds)
        ours, theirs = (_since(before[one], site.count(seen, one)) for one in predictors)
        left = until - timing.now()
        if (ours.requests and theirs.requests) or left <= 0 or wanted.when_idle == "promote":
            return seen, ours, theirs
        seconds = min(left, max(timing.poll, wanted.bake_seconds))


def _read(
    read: Callable[[str, str, float], Predictions] | None, versions: Names, started: float
) -> tuple[Predictions | None, str]:
    if read is None:
        return None, ""
    try:
        return read(*versions, started), ""
    except UnavailableError as error:
        return None, str(error)


def _since(before: dict[str, Counts], after: dict[str, Counts]) -> Counts:
    return add_up(counts.since(before.get(pod, Counts())) for pod, counts in after.items())
