"""Remove what is ours and no longer in git; a schedule only once no run of it is in flight, as KFP may end them with it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from pipelines.kfp.apply_changes import Change, find_current, find_version
from pipelines.kfp.desired_state import Wanted
from pipelines.kfp.kfp_client import Answer
from pipelines.kfp.ownership import read_mark
from pipelines.kfp.run_watch import is_over
from pipelines.kfp.server_state import LiveSchedule, Server

SETTLE = 20.0
"""Seconds until a run that a schedule has just started is known to the API: KFP's agent takes up to ten to report it."""


def prune(
    server: Server, wanted: Sequence[Wanted], *, everything: bool, dry: bool, settle: float = SETTLE
) -> Iterator[Change]:
    """Remove what git no longer says; yields what was done, or with `dry` what would be.

    Args:
        server: Where.
        wanted: The projects as git has them.
        everything: They are all that the repository has: pipelines of its other projects are removed too.
        dry: Change nothing.
        settle: Seconds between switching schedules off and looking for their runs.
    """
    owner = wanted[0].mark.owner
    pipelines = [one for one in server.pipelines() if (mark := read_mark(one)) and mark.owner == owner]
    named = {one.project.name: one for one in wanted}
    stale = _stale_schedules(server, named, pipelines, owner, everything)
    yield from _retire(server, stale, dry, settle)
    used = _used_versions(server, [] if not dry else [one.id for one in stale])
    for pipeline in pipelines:
        project = str(getattr(read_mark(pipeline), "project", ""))
        if project in named:
            yield from _prune_versions(server, pipeline, named[project], used, dry)
        elif everything:
            yield from _prune_pipeline(server, pipeline, used, dry)


def _stale_schedules(
    server: Server, named: dict[str, Wanted], pipelines: list[Answer], owner: str, everything: bool
) -> list[LiveSchedule]:
    """Those that git does not name, and those that another has replaced; never one that is on and still to be replaced."""
    ids = {str(getattr(read_mark(one), "project", "")): str(one["pipeline_id"]) for one in pipelines}
    stale: list[LiveSchedule] = []
    ours = server.our_schedules(owner)
    for project in sorted({one.mark.project for one in ours}):
        live = [one for one in ours if one.mark.project == project]
        if project in named:
            stale += _replaced(named[project], live, find_version(server, ids.get(project, ""), named[project]))
        elif everything:
            stale += live
    return stale


def _replaced(wanted: Wanted, live: list[LiveSchedule], version_id: str) -> list[LiveSchedule]:
    schedules = {one.name: one for one in wanted.project.triggers.schedules}
    current = [
        find_current([one for one in live if one.mark.schedule == name], wanted, schedule, version_id)
        for name, schedule in schedules.items()
    ]
    return [one for one in live if one not in current and (one.mark.schedule not in schedules or not one.enabled)]


def _retire(server: Server, stale: list[LiveSchedule], dry: bool, settle: float) -> Iterator[Change]:
    if not dry and stale:
        for one in stale:
            if one.enabled:
                server.disable(one)
        time.sleep(settle)
    busy, gone = (_busy(server), _gone(server)) if stale else ({}, {})
    for one in stale:
        name = f"schedule {one.mark.project} {one.mark.schedule} ({one.id})"
        if one.id in busy:
            yield Change("wait", name, f"is off, and stays until its run {busy[one.id]} has ended: prune again then")
            continue
        if not dry:
            server.delete_schedule(one)
        yield Change("remove", name, gone.get(one.id, ""))


def _busy(server: Server) -> dict[str, str]:
    """A run in flight by the schedule that started it."""
    return {str(run.get("recurring_run_id", "")): str(run.get("display_name", "")) for run in _going(server)}


def _gone(server: Server) -> dict[str, str]:
    """What is said of a run that is waited for no longer, by the schedule that started it."""
    over = [run for run in server.runs_in_flight() if is_over(run)]
    message = "its run {} counts as ended: KFP has it as CANCELING, and its workflow is gone"
    return {str(run.get("recurring_run_id", "")): message.format(run.get("display_name", "")) for run in over}


def _going(server: Server) -> list[Answer]:
    """Runs in flight, without those that KFP will have as CANCELING for ever, as their workflow is gone."""
    return [run for run in server.runs_in_flight() if not is_over(run)]


def _used_versions(server: Server, going: list[str]) -> set[str]:
    """Versions that a schedule or a run in flight goes by, whoever's it is."""
    users = [one for one in server.schedules() if one["recurring_run_id"] not in going] + _going(server)
    return {str(one.get("pipeline_version_reference", {}).get("pipeline_version_id", "")) for one in users}


def _prune_versions(server: Server, pipeline: Answer, wanted: Wanted, used: set[str], dry: bool) -> Iterator[Change]:
    versions = [one for one in server.versions(pipeline["pipeline_id"]) if read_mark(one)]
    names = {str(one["pipeline_version_id"]): str(one.get("name") or one.get("display_name")) for one in versions}
    if wanted.version not in names.values():
        return  # apply is due first: until then the old one is what there is
    for version_id, name in names.items():
        if name != wanted.version and version_id not in used:
            if not dry:
                server.kfp.delete(f"/pipelines/{pipeline['pipeline_id']}/versions/{version_id}")
            yield Change("remove", f"version {wanted.pipeline} {name}")


def _prune_pipeline(server: Server, pipeline: Answer, used: set[str], dry: bool) -> Iterator[Change]:
    name = f"pipeline {pipeline.get('name') or pipeline.get('display_name')}"
    versions = server.versions(pipeline["pipeline_id"])
    if any(read_mark(one) is None for one in versions):
        yield Change("wait", name, "somebody else gave it a version: it stays until that is removed")
    elif used & {str(one["pipeline_version_id"]) for one in versions}:
        yield Change("wait", name, "a schedule or a run in flight still goes by it: prune again later")
    else:
        if not dry:
            server.kfp.delete(f"/pipelines/{pipeline['pipeline_id']}", cascade="true")
        yield Change("remove", name)
