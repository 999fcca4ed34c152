"""Watches one canary step while requests go to both versions: for its time, and longer while one of them gets no request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from components._core.errors import UnavailableError
from components._core.project.project_file import Project
from components.deploy.rollout.bake import Bake
from components.deploy.server_metrics import Counts, add_up
from components.deploy.targets.contract import ModelVersion, Observation, RolloutTarget

Predictions = tuple[list[Any], list[Any]]
Pair = tuple[ModelVersion, ModelVersion]
"""The new version and the stable one."""
_CountsByServer = Mapping[str, Counts]


def watch_step(
    target: RolloutTarget,
    project: Project,
    versions: Pair,
    read: Callable[[str, str, float], Predictions] | None,
) -> Bake:
    """Watch both versions for the time of a step; return the observations.

    Args:
        target: Target that serves them.
        project: The project, with the time of a step and what happens without requests.
        versions: The new version and the stable one.
        read: Reads the logged predictions of two versions since a time; None: there is no request log.
    """
    started, seen, new = time.time(), target.see(), versions[0].key
    before = {one.key: _count(target, seen, one.key) for one in versions}
    restarts = seen.restarts.get(new, 0)
    seen, ours, theirs = _watch_until_requested(target, project, versions, before)
    logged, unread = _read(read, versions, started)
    return Bake(ours, theirs, max(0, seen.restarts.get(new, 0) - restarts), logged, unread)


def _watch_until_requested(
    target: RolloutTarget, project: Project, versions: Pair, before: Mapping[str, _CountsByServer]
) -> tuple[Observation, Counts, Counts]:
    """Watch longer, within a bound, while a version gets no request, as nothing is known about it then."""
    wanted, timing = project.serve.canary, target.timing
    until, seconds = timing.now() + wanted.bake_seconds + project.serve.wait_seconds, wanted.bake_seconds
    while True:
        seen = target.watch(versions[0].key, seconds)
        ours, theirs = (_since(before[one.key], _count(target, seen, one.key)) for one in versions)
        left = until - timing.now()
        if (ours.requests and theirs.requests) or left <= 0 or wanted.when_idle == "promote":
            return seen, ours, theirs
        seconds = min(left, max(timing.poll, wanted.bake_seconds))


def _count(target: RolloutTarget, seen: Observation, key: str) -> _CountsByServer:
    """Read the counts of a version's ready servers, by name."""
    return {server.name: target.client(server).count() for server in seen.ready(key)}


def _read(
    read: Callable[[str, str, float], Predictions] | None, versions: Pair, started: float
) -> tuple[Predictions | None, str]:
    if read is None:
        return None, ""
    try:
        return read(versions[0].version, versions[1].version, started), ""
    except UnavailableError as error:
        return None, str(error)


def _since(before: _CountsByServer, after: _CountsByServer) -> Counts:
    return add_up(counts.since(before.get(name, Counts())) for name, counts in after.items())
