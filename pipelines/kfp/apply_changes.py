"""Apply the pipelines of the projects in git to a server: create what is missing, replace what changed; nothing is removed, no run is stopped.

A recurring run cannot be edited. So a schedule that changed gets a new one, and the old one is switched off, not removed:
removing it would end its runs. `prune_objects.py` removes it once none is in flight.

Two may apply at the same time, and KFP keeps two recurring runs of one name. So each looks again after it made something: of two the
older one stays, by what the server reports of both, and the other is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components._core.errors import ConfigError, NaruError, UnavailableError
from components._core.project.placeholders import COMMIT
from components._core.project.trigger_config import Schedule
from components._core.stage.run_record import parse_commit
from components._core.store.object_store import upload
from components._kfp.kfp_client import ConflictError, JsonObject
from components._kfp.ownership import OwnershipLabel, read_label
from components._kfp.server_state import SERVICE_ACCOUNT, LiveSchedule, Server, age_of, name_of
from pipelines.graphs.pipelines import TRAINING
from pipelines.kfp.desired_state import DesiredPipeline

_CONCURRENT_APPLY = "another apply ran at the same time"

Action = Literal["create", "upload", "replace", "disable", "keep", "remove", "wait"]


@dataclass(frozen=True)
class Change:
    """A change of one object on the server.

    Attributes:
        action: What is done; `keep` does nothing, `wait` does nothing yet.
        name: Kind and name of the object.
        detail: What is different, or why.
    """

    action: Action
    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action:<8}{self.name}" + (f": {self.detail}" if self.detail else "")


def apply(server: Server, desired: Sequence[DesiredPipeline], *, dry: bool) -> Iterator[Change]:
    """Apply each pipeline to the server; yields the changes made, or with `dry` the changes due.

    Raises:
        ConfigError: When a pipeline's name belongs to another owner.
        NaruError: When the server refused a change; the message has the number of changes made before it.
    """
    found = [(one, find_pipeline(server, one)) for one in desired]  # all, before anything is changed
    done = 0
    for one, live in found:
        try:
            for change in _apply_pipeline(server, one, live, dry):
                done += change.action != "keep"
                yield change
        except NaruError as error:
            message = f"{error.message}; {done} changes were made before it"
            raise type(error)(message, where=error.where, remedy=error.remedy) from None


def find_pipeline(server: Server, desired: DesiredPipeline) -> JsonObject | None:
    """Find the pipeline; None when it does not exist yet.

    Raises:
        ConfigError: When the name belongs to another owner's pipeline.
    """
    named = [one for one in server.pipelines() if name_of(one) == desired.pipeline]
    live = min(named, key=age_of, default=None)
    _check_owner(desired, live)
    return live


def apply_version(
    server: Server, desired: DesiredPipeline, live: JsonObject | None, dry: bool
) -> Iterator[Change | tuple[str, str]]:
    """Create the pipeline and its version if they do not exist; finally yields both ids, empty when they do not exist yet."""
    pipeline_id = str(live["pipeline_id"]) if live else ""
    if not live and not dry:
        pipeline_id = _create_pipeline(server, desired)
    yield Change("keep" if live else "create", f"pipeline {desired.pipeline}")
    there = version_id = find_version(server, pipeline_id, desired)
    if not dry:
        if desired.archive:
            upload(*desired.archive)  # also for an existing version: the store may be newer than the server
        if not there:
            version_id = _create_version(server, pipeline_id, desired)
    yield Change("keep" if there else "upload", f"version {desired.pipeline} {desired.version}")
    yield pipeline_id, version_id


def find_version(server: Server, pipeline_id: str, desired: DesiredPipeline) -> str:
    """Find the id of the version that the project's files compile to; empty when it does not exist."""
    named = _versions_named(server, pipeline_id, desired)
    return str(named[0]["pipeline_version_id"]) if named else ""


def find_current(
    live: Sequence[LiveSchedule], desired: DesiredPipeline, schedule: Schedule, version_id: str
) -> LiveSchedule | None:
    """Find the recurring run that matches the schedule, among those of its name; None when it must be created.

    One that is off and should be on does not match: switched on, KFP would at once make up for the time that was missed. Of several
    the oldest is returned, so that two that apply at the same time agree.
    """
    for one in sorted(live, key=lambda one: one.age):
        if not differences(one, desired, schedule, version_id) and (one.enabled or not schedule.enabled):
            return one
    return None


def differences(live: LiveSchedule, desired: DesiredPipeline, schedule: Schedule, version_id: str) -> list[str]:
    """List the fields in which a recurring run differs from the schedule, except whether it is switched on."""
    raw = live.raw
    pairs: dict[str, tuple[Any, Any]] = {
        "version": (live.version_id, version_id),
        "cron": (raw.get("trigger", {}).get("cron_schedule", {}).get("cron"), schedule.cron),
        "parameters": (
            _without_commit(raw.get("runtime_config", {}).get("parameters", {})),
            _without_commit(desired.parameters_of(schedule)),
        ),
        "max_concurrency": (int(raw.get("max_concurrency", 0)), schedule.max_concurrency),
        "service account": (raw.get("service_account"), SERVICE_ACCOUNT),
        "catch-up": (bool(raw.get("no_catchup")), True),
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def _without_commit(parameters: JsonObject) -> JsonObject:
    """Leave the commit out: one that changes nothing else must not replace a schedule."""
    return {name: value for name, value in parameters.items() if name != COMMIT}


def schedule_name(label: OwnershipLabel) -> str:
    """Name of a schedule in messages, by the label of its recurring run."""
    return f"schedule {label.project} {label.schedule}"


def _apply_pipeline(server: Server, desired: DesiredPipeline, live: JsonObject | None, dry: bool) -> Iterator[Change]:
    pipeline_id = version_id = ""
    for detail in apply_version(server, desired, live, dry):
        if isinstance(detail, Change):
            yield detail
        else:
            pipeline_id, version_id = detail
    ours = [one for one in server.our_schedules(desired.label.owner) if one.label.project == desired.project.name]
    for schedule in desired.schedules:
        named = [one for one in ours if one.label == desired.schedule_label(schedule)]
        yield from _apply_schedule(server, desired, schedule, named, (pipeline_id, version_id), dry)


def _apply_schedule(
    server: Server,
    desired: DesiredPipeline,
    schedule: Schedule,
    live: list[LiveSchedule],
    ids: tuple[str, str],
    dry: bool,
) -> Iterator[Change]:
    name = schedule_name(desired.schedule_label(schedule))
    current = find_current(live, desired, schedule, ids[1])
    old = [one for one in live if one.enabled and one is not current]
    if current:
        off = [*old, *([current] if current.enabled and not schedule.enabled else [])]
        for one in off:
            server.disable(one) if not dry else None
        yield Change("disable" if off else "keep", name)
    else:
        newest = next(iter(old or live), None)
        message = ", ".join(differences(newest, desired, schedule, ids[1]) or ["switched on"]) if newest else ""
        if not dry:
            _replace_schedules(server, old, _schedule_body(server, desired, schedule, ids))
            _remove_duplicates(server, desired, schedule, ids[1])
        yield Change("replace" if newest else "create", name, message)


def _create_pipeline(server: Server, desired: DesiredPipeline) -> str:
    """Create the pipeline; returns its id, or that of an older one that was made in the meantime."""
    message = f"{desired.kind.purpose} {desired.project.name}. Made by Naru from git."
    made, refused = "", None
    try:
        made = server.create_pipeline(desired.pipeline, desired.label.describe(message))
    except ConflictError as error:
        refused = error
    older = find_pipeline(server, desired)
    if older is None and refused:
        raise refused
    kept = str(older["pipeline_id"]) if older else made
    if made and made != kept:
        server.kfp.delete(f"/pipelines/{made}", cascade="true")
    return kept


def _create_version(server: Server, pipeline_id: str, desired: DesiredPipeline) -> str:
    """Create the version; returns its id. Its name is a hash of its content, so an older one of that name is equal."""
    message = f"Of {desired.label.owner} at {_describe_commit(desired)}."
    made = ""
    try:
        made = server.upload_version(pipeline_id, desired.version, desired.spec, desired.label.describe(message))
    except ConflictError:
        if not find_version(server, pipeline_id, desired):
            raise
    kept = find_version(server, pipeline_id, desired) or made
    if made and made != kept:
        server.delete_version(pipeline_id, made)
    return kept


def _versions_named(server: Server, pipeline_id: str, desired: DesiredPipeline) -> list[JsonObject]:
    versions = server.versions(pipeline_id) if pipeline_id else []
    return sorted((one for one in versions if name_of(one) == desired.version), key=age_of)


def _remove_duplicates(server: Server, desired: DesiredPipeline, schedule: Schedule, version_id: str) -> None:
    """Keep the oldest of several schedules of one name that would fire.

    Raises:
        UnavailableError: When that one differs from this project: another apply of something else ran at the same time.
    """
    label = desired.schedule_label(schedule)
    ours = server.our_schedules(desired.label.owner)
    alike = [one for one in ours if one.label == label and one.enabled == schedule.enabled]
    if not schedule.enabled:  # one that is off may be old
        alike = [one for one in alike if not differences(one, desired, schedule, version_id)]
    alike.sort(key=lambda one: one.age)
    for one in alike[1:]:
        server.delete_schedule(one)  # no error if the other apply removed it already
    if alike and (apart := differences(alike[0], desired, schedule, version_id)):
        message = f"{_CONCURRENT_APPLY}, and its schedule was kept; it differs in {', '.join(apart)}"
        raise UnavailableError(message, where=schedule_name(label), remedy="run again")


def _replace_schedules(server: Server, old: list[LiveSchedule], body: dict[str, Any]) -> None:
    """Switch the old ones off first, so that none fires twice; switch them on again if the new one is refused."""
    for one in old:
        server.disable(one)
    try:
        server.create_schedule(body)
    except NaruError:
        for one in old:
            server.enable(one)
        raise


def _schedule_body(
    server: Server, desired: DesiredPipeline, schedule: Schedule, ids: tuple[str, str]
) -> dict[str, Any]:
    label = desired.schedule_label(schedule)
    message = f"{schedule.cron} ({schedule.timezone}). Made by Naru from project.yaml; `naru apply` replaces it when that changes."
    return {
        "display_name": f"{desired.project.name}-{schedule.name}" if desired.kind == TRAINING else desired.pipeline,
        "description": label.describe(message),
        "pipeline_version_reference": {"pipeline_id": ids[0], "pipeline_version_id": ids[1]},
        "runtime_config": {"parameters": desired.parameters_of(schedule)},
        "service_account": SERVICE_ACCOUNT,
        "max_concurrency": str(schedule.max_concurrency),
        "trigger": {"cron_schedule": {"cron": schedule.cron}},
        "mode": "ENABLE" if schedule.enabled else "DISABLE",
        "no_catchup": True,
        "experiment_id": server.experiment(desired.experiment),
    }


def _check_owner(desired: DesiredPipeline, live: JsonObject | None) -> None:
    label = read_label(live) if live else desired.label
    if label == desired.label:
        return
    message = f"a pipeline of this name already exists, and it {f'belongs to {label.owner}' if label else 'was not made by Naru'}"
    remedy = "give the project another name, or remove that pipeline in the KFP UI" + (
        " (or set NARU_OWNER, if this is the same repository)" if label else ""
    )
    raise ConfigError(message, where=desired.pipeline, remedy=remedy)


def _describe_commit(desired: DesiredPipeline) -> str:
    return str(parse_commit(desired.commit)) or "no commit"
