"""Bring a server to what git says: what is missing is made, what changed is replaced; nothing is removed, no run is ended.

A recurring run cannot be edited. So a schedule that changed gets a new one, and the old one is switched off, not removed:
removing it would end its runs. `prune_objects.py` removes it once none is in flight.

Two may apply at the same time, and KFP keeps two recurring runs of one name. So whoever made something looks again: of two the
older one stays, by what the server says of both, and the other is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components._core.errors import ConfigError, NaruError, UnavailableError
from components._core.project.project_file import Schedule
from components._core.store.object_store import upload
from pipelines.kfp.desired_state import SERVICE_ACCOUNT, Wanted
from pipelines.kfp.kfp_client import Answer, ConflictError
from pipelines.kfp.ownership import Mark, ask_git, read_mark
from pipelines.kfp.server_state import LiveSchedule, Server, age_of

_AT_ONCE = "somebody applied at the same time"

Action = Literal["create", "upload", "replace", "disable", "keep", "remove", "wait"]


@dataclass(frozen=True)
class Change:
    """What becomes of one object of the server.

    Attributes:
        action: What is done; `keep` is nothing, `wait` is nothing yet.
        name: Kind and name.
        told: What is different, or why.
    """

    action: Action
    name: str
    told: str = ""

    def __str__(self) -> str:
        return f"{self.action:<8}{self.name}" + (f": {self.told}" if self.told else "")


def apply(server: Server, wanted: Sequence[Wanted], *, dry: bool) -> Iterator[Change]:
    """Bring each project to the server; yields what was done, or with `dry` what would be.

    Raises:
        ConfigError: When a name is taken by somebody else.
        NaruError: When the server refused; says how many changes were made before it.
    """
    found = [(one, find_pipeline(server, one)) for one in wanted]  # all, before anything is changed
    done = 0
    for one, live in found:
        try:
            for change in _bring(server, one, live, dry):
                done += change.action != "keep"
                yield change
        except NaruError as error:
            message = f"{error.message}; {done} changes were made before it"
            raise type(error)(message, where=error.where, remedy=error.remedy) from None


def find_pipeline(server: Server, wanted: Wanted) -> Answer | None:
    """The project's pipeline; None when there is none yet.

    Raises:
        ConfigError: When somebody else's has the name.
    """
    named = [one for one in server.pipelines() if _name(one) == wanted.pipeline]
    live = min(named, key=age_of, default=None)
    _check_name(wanted, live)
    return live


def bring_version(server: Server, wanted: Wanted, live: Answer | None, dry: bool) -> Iterator[Change | tuple[str, str]]:
    """Make the pipeline and its version where they are not there; at last yields both ids, empty when there are none yet."""
    pipeline_id = str(live["pipeline_id"]) if live else ""
    if not live and not dry:
        pipeline_id = _make_pipeline(server, wanted)
    yield Change("keep" if live else "create", f"pipeline {wanted.pipeline}")
    there = version_id = find_version(server, pipeline_id, wanted)
    if not dry:
        upload(*wanted.archive)  # also for a version that is there: the store may be younger than the server
        if not there:
            version_id = _make_version(server, pipeline_id, wanted)
    yield Change("keep" if there else "upload", f"version {wanted.pipeline} {wanted.version}")
    yield pipeline_id, version_id


def find_version(server: Server, pipeline_id: str, wanted: Wanted) -> str:
    """The id of the version that the project's files compile to; empty when it is not there."""
    named = _versions_named(server, pipeline_id, wanted)
    return str(named[0]["pipeline_version_id"]) if named else ""


def find_current(
    live: Sequence[LiveSchedule], wanted: Wanted, schedule: Schedule, version_id: str
) -> LiveSchedule | None:
    """The recurring run that is what the schedule says, of those of its name; None: it must be made.

    One that is off and should be on is not it: switched on, KFP would at once make up for the time that was missed. Of several
    it is the oldest, as for whoever made two at the same time.
    """
    for one in sorted(live, key=lambda one: one.age):
        if not differences(one, wanted, schedule, version_id) and (one.enabled or not schedule.enabled):
            return one
    return None


def differences(live: LiveSchedule, wanted: Wanted, schedule: Schedule, version_id: str) -> list[str]:
    """What a recurring run has otherwise than the schedule, but for being switched on."""
    raw = live.raw
    pairs: dict[str, tuple[Any, Any]] = {
        "version": (live.version_id, version_id),
        "cron": (raw.get("trigger", {}).get("cron_schedule", {}).get("cron"), schedule.cron),
        "parameters": (raw.get("runtime_config", {}).get("parameters", {}), wanted.parameters_of(schedule)),
        "max_concurrency": (int(raw.get("max_concurrency", 0)), schedule.max_concurrency),
        "service account": (raw.get("service_account"), SERVICE_ACCOUNT),
        "catch-up": (bool(raw.get("no_catchup")), True),
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def schedule_name(wanted: Wanted, schedule: str) -> str:
    """How a person is told of a schedule."""
    return f"schedule {wanted.project.name} {schedule}"


def _bring(server: Server, wanted: Wanted, live: Answer | None, dry: bool) -> Iterator[Change]:
    pipeline_id = version_id = ""
    for told in bring_version(server, wanted, live, dry):
        if isinstance(told, Change):
            yield told
        else:
            pipeline_id, version_id = told
    ours = [one for one in server.our_schedules(wanted.mark.owner) if one.mark.project == wanted.project.name]
    for schedule in wanted.project.triggers.schedules:
        named = [one for one in ours if one.mark.schedule == schedule.name]
        yield from _bring_schedule(server, wanted, schedule, named, (pipeline_id, version_id), dry)


def _bring_schedule(
    server: Server, wanted: Wanted, schedule: Schedule, live: list[LiveSchedule], ids: tuple[str, str], dry: bool
) -> Iterator[Change]:
    name = schedule_name(wanted, schedule.name)
    current = find_current(live, wanted, schedule, ids[1])
    old = [one for one in live if one.enabled and one is not current]
    if current:
        off = [*old, *([current] if current.enabled and not schedule.enabled else [])]
        for one in off:
            server.disable(one) if not dry else None
        yield Change("disable" if off else "keep", name)
    else:
        newest = next(iter(old or live), None)
        message = ", ".join(differences(newest, wanted, schedule, ids[1]) or ["switched on"]) if newest else ""
        if not dry:
            _replace(server, old, _body(server, wanted, schedule, ids))
            _settle(server, wanted, schedule, ids[1])
        yield Change("replace" if newest else "create", name, message)


def _make_pipeline(server: Server, wanted: Wanted) -> str:
    """Its id; that of the older one, where somebody made it since we looked."""
    message = f"Trains the model of the project {wanted.project.name}. Made by Naru from git."
    made, refused = "", None
    try:
        made = server.create_pipeline(wanted.pipeline, wanted.mark.describe(message))
    except ConflictError as error:
        refused = error
    older = find_pipeline(server, wanted)
    if older is None and refused:
        raise refused
    kept = str(older["pipeline_id"]) if older else made
    if made and made != kept:
        server.kfp.delete(f"/pipelines/{made}", cascade="true")
    return kept


def _make_version(server: Server, pipeline_id: str, wanted: Wanted) -> str:
    """The same of the version: its name is a hash of what it holds, so another's of that name is ours as well."""
    message = f"Of {wanted.mark.owner} at {_commit(wanted)}."
    made = ""
    try:
        made = server.upload_version(pipeline_id, wanted.version, wanted.spec, wanted.mark.describe(message))
    except ConflictError:
        if not find_version(server, pipeline_id, wanted):
            raise
    kept = find_version(server, pipeline_id, wanted) or made
    if made and made != kept:
        server.delete_version(pipeline_id, made)
    return kept


def _versions_named(server: Server, pipeline_id: str, wanted: Wanted) -> list[Answer]:
    versions = server.versions(pipeline_id) if pipeline_id else []
    return sorted((one for one in versions if _name(one) == wanted.version), key=age_of)


def _settle(server: Server, wanted: Wanted, schedule: Schedule, version_id: str) -> None:
    """Of several of this name that would fire, the oldest stays.

    Raises:
        UnavailableError: When that one is another than ours: somebody else applied something else at the same time.
    """
    ours = [one for one in server.our_schedules(wanted.mark.owner) if one.mark.project == wanted.project.name]
    alike = [one for one in ours if one.mark.schedule == schedule.name and one.enabled == schedule.enabled]
    if not schedule.enabled:  # what is off may be of long ago
        alike = [one for one in alike if not differences(one, wanted, schedule, version_id)]
    alike.sort(key=lambda one: one.age)
    for one in alike[1:]:
        server.delete_schedule(one)  # whoever was first did so: well
    if alike and (apart := differences(alike[0], wanted, schedule, version_id)):
        message = f"{_AT_ONCE}, and theirs stays; it differs by {', '.join(apart)}"
        raise UnavailableError(message, where=schedule_name(wanted, schedule.name), remedy="run again")


def _replace(server: Server, old: list[LiveSchedule], body: dict[str, Any]) -> None:
    """Old ones off first, so that none fires twice; on again when the new one was refused."""
    for one in old:
        server.disable(one)
    try:
        server.create_schedule(body)
    except NaruError:
        for one in old:
            server.enable(one)
        raise


def _body(server: Server, wanted: Wanted, schedule: Schedule, ids: tuple[str, str]) -> dict[str, Any]:
    mark = Mark(wanted.mark.owner, wanted.mark.project, schedule.name)
    message = f"{schedule.cron} ({schedule.timezone}). Made by Naru from project.yaml; `naru apply` replaces it when that changes."
    return {
        "display_name": f"{wanted.project.name}-{schedule.name}",
        "description": mark.describe(message),
        "pipeline_version_reference": {"pipeline_id": ids[0], "pipeline_version_id": ids[1]},
        "runtime_config": {"parameters": wanted.parameters_of(schedule)},
        "service_account": SERVICE_ACCOUNT,
        "max_concurrency": str(schedule.max_concurrency),
        "trigger": {"cron_schedule": {"cron": schedule.cron}},
        "mode": "ENABLE" if schedule.enabled else "DISABLE",
        "no_catchup": True,
        "experiment_id": server.experiment(wanted.project.name),
    }


def _check_name(wanted: Wanted, live: Answer | None) -> None:
    mark = read_mark(live) if live else wanted.mark
    if mark == wanted.mark:
        return
    message = f"there is a pipeline of that name already, and it is {f'of {mark.owner}' if mark else 'not of Naru'}"
    remedy = "give the project another name, or remove that pipeline in the KFP page" + (
        " (or say NARU_OWNER, if this is the same repository)" if mark else ""
    )
    raise ConfigError(message, where=wanted.pipeline, remedy=remedy)


def _name(thing: Answer) -> str:
    """The name; servers before 2.14 only have the one that is shown."""
    return str(thing.get("name") or thing.get("display_name") or "")


def _commit(wanted: Wanted) -> str:
    commit = ask_git(wanted.folder, "rev-parse", "--short", "HEAD") or "no commit"
    return commit + (" and changes on top" if ask_git(wanted.folder, "status", "--porcelain", ".") else "")
