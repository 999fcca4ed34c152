"""Remove Naru's objects that are no longer in git; a schedule only once no run of it is in flight, because KFP may end its runs with it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from components._kfp.kfp_client import JsonObject
from components._kfp.ownership import read_label
from components._kfp.server_state import LiveSchedule, Server, name_of
from pipelines.kfp.apply_changes import Change, find_current, find_version
from pipelines.kfp.desired_state import DesiredPipeline
from pipelines.kfp.run_watch import is_over

SETTLE = 20.0
"""Seconds until the API knows a run that a schedule has just started: KFP's agent takes up to ten to report it."""


def prune(
    server: Server, desired: Sequence[DesiredPipeline], *, everything: bool, dry: bool, settle: float = SETTLE
) -> Iterator[Change]:
    """Remove what is no longer in git; yields the changes made, or with `dry` the changes due.

    Args:
        server: The server.
        desired: The projects in git.
        everything: Whether these are all projects of the repository: pipelines of other projects are then removed too.
        dry: Whether to change nothing.
        settle: Seconds between switching schedules off and looking for their runs.
    """
    owner = desired[0].label.owner
    pipelines = [one for one in server.pipelines() if (label := read_label(one)) and label.owner == owner]
    named = {one.pipeline: one for one in desired}
    projects = {one.project.name for one in desired}
    stale = _stale_schedules(server, desired, pipelines, owner, everything)
    yield from _prune_schedules(server, stale, dry, settle)
    used = _used_versions(server, [] if not dry else [one.id for one in stale])
    for pipeline in pipelines:
        name = name_of(pipeline)
        if name in named:
            yield from _prune_versions(server, pipeline, named[name], used, dry)
        elif everything or getattr(read_label(pipeline), "project", "") in projects:
            yield from _prune_pipeline(server, pipeline, used, dry)


def _stale_schedules(
    server: Server, desired: Sequence[DesiredPipeline], pipelines: list[JsonObject], owner: str, everything: bool
) -> list[LiveSchedule]:
    """Find the schedules that are not in git or were replaced; never one that is on and not replaced yet."""
    ids = {name_of(one): str(one["pipeline_id"]) for one in pipelines}
    stale: list[LiveSchedule] = []
    ours = server.our_schedules(owner)
    for project in sorted({one.label.project for one in ours}):
        live = [one for one in ours if one.label.project == project]
        named = [one for one in desired if one.project.name == project]
        if named:
            stale += _replaced(server, named, live, ids)
        elif everything:
            stale += live
    return stale


def _replaced(
    server: Server, desired: Sequence[DesiredPipeline], live: list[LiveSchedule], ids: dict[str, str]
) -> list[LiveSchedule]:
    """Find those of a project's schedules that none of its pipelines has, or has another one for."""
    labels, current = [], []
    for one in desired:
        version_id = find_version(server, ids.get(one.pipeline, ""), one)
        for schedule in one.schedules:
            label = one.schedule_label(schedule)
            labels.append(label)
            current.append(find_current([each for each in live if each.label == label], one, schedule, version_id))
    return [one for one in live if one not in current and (one.label not in labels or not one.enabled)]


def _prune_schedules(server: Server, stale: list[LiveSchedule], dry: bool, settle: float) -> Iterator[Change]:
    if not dry and stale:
        for one in stale:
            if one.enabled:
                server.disable(one)
        time.sleep(settle)
    busy, gone = (_runs_by_schedule(server), _ended_run_notes(server)) if stale else ({}, {})
    for one in stale:
        name = f"schedule {one.label.project} {one.label.schedule} ({one.id})"
        if one.id in busy:
            yield Change(
                "wait", name, f"is switched off, and is kept until its run {busy[one.id]} has ended: prune again then"
            )
            continue
        if not dry:
            server.delete_schedule(one)
        yield Change("remove", name, gone.get(one.id, ""))


def _runs_by_schedule(server: Server) -> dict[str, str]:
    """Map each schedule to a run of it that is in flight."""
    return {str(run.get("recurring_run_id", "")): str(run.get("display_name", "")) for run in _active_runs(server)}


def _ended_run_notes(server: Server) -> dict[str, str]:
    """Map each schedule to a note on its run that counts as ended."""
    over = [run for run in server.runs_in_flight() if is_over(run)]
    message = "its run {} counts as ended: KFP reports CANCELING, but its workflow is gone"
    return {str(run.get("recurring_run_id", "")): message.format(run.get("display_name", "")) for run in over}


def _active_runs(server: Server) -> list[JsonObject]:
    """List runs in flight, without those that KFP will report as CANCELING for ever, because their workflow is gone."""
    return [run for run in server.runs_in_flight() if not is_over(run)]


def _used_versions(server: Server, going: list[str]) -> set[str]:
    """Find the versions that a schedule or a run in flight uses, of any owner."""
    users = [one for one in server.schedules() if one["recurring_run_id"] not in going] + _active_runs(server)
    return {str(one.get("pipeline_version_reference", {}).get("pipeline_version_id", "")) for one in users}


def _prune_versions(
    server: Server, pipeline: JsonObject, desired: DesiredPipeline, used: set[str], dry: bool
) -> Iterator[Change]:
    versions = [one for one in server.versions(pipeline["pipeline_id"]) if read_label(one)]
    names = {str(one["pipeline_version_id"]): str(one.get("name") or one.get("display_name")) for one in versions}
    if desired.version not in names.values():
        return  # apply must run first: until then the old version is in use
    for version_id, name in names.items():
        if name != desired.version and version_id not in used:
            if not dry:
                server.kfp.delete(f"/pipelines/{pipeline['pipeline_id']}/versions/{version_id}")
            yield Change("remove", f"version {desired.pipeline} {name}")


def _prune_pipeline(server: Server, pipeline: JsonObject, used: set[str], dry: bool) -> Iterator[Change]:
    name = f"pipeline {pipeline.get('name') or pipeline.get('display_name')}"
    versions = server.versions(pipeline["pipeline_id"])
    if any(read_label(one) is None for one in versions):
        yield Change("wait", name, "it has a version that Naru did not make: it is kept until that is removed")
    elif used & {str(one["pipeline_version_id"]) for one in versions}:
        yield Change("wait", name, "a schedule or a run in flight still uses it: prune again later")
    else:
        if not dry:
            server.kfp.delete(f"/pipelines/{pipeline['pipeline_id']}", cascade="true")
        yield Change("remove", name)
