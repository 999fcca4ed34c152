"""The desired state of a server, from git: for each project its pipelines, the versions that its files compile to, their schedules."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.credentials import find_credentials
from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.project.placeholders import CLAIM, COMMIT, FRESH, PER_RUN
from components._core.project.project_file import PROJECT_FILE, Project, load_project
from components._core.project.trigger_config import Schedule
from components._core.project.value_rules import CREDENTIALS_REMEDY, check_placeholders
from components._core.setting_names import STORE
from components._core.settings import Settings
from components._core.suggestions import suggest
from components._data.joins.joined_columns import join_path
from components._data.sources.registry import is_relative, span_unit
from components._data.sources.span_expression import parse_spans
from components._kfp.connection import TIMEZONE, Connection
from components._kfp.ownership import OwnershipLabel
from pipelines.compile_target import Target
from pipelines.compiler import compile_pipeline, compile_with_code, needed_pipelines
from pipelines.git import read_commit, run_git
from pipelines.graphs.pipelines import JOINING, MONITORING, PIPELINES, SETTLING, TRAINING, WATCHING, Pipeline
from pipelines.kfp.repository import find_owner
from pipelines.spec_text import read_spec, version_of

_SET_BY_NARU = ("project", "code_uri", "code_fingerprint", "training", CLAIM, COMMIT)
_RECURRING = "recurring"
"""Name of the one schedule of a pipeline other than training."""
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,), "NUMBER_INTEGER": (int,), "NUMBER_DOUBLE": (int, float), "BOOLEAN": (bool,)
}  # fmt: skip


@dataclass(frozen=True)
class DesiredPipeline:
    """The desired state of one pipeline of a project on the server.

    Attributes:
        project: The project.
        folder: Its folder.
        label: Ownership label of the project's objects.
        spec: The compiled pipeline, as text.
        version: The version's name: a hash of the spec.
        archive: The project's code archive, and the URI where runs read it; None: the pipeline has none.
        parameters: Type by name of the pipeline's parameters.
        defaults: Default by name of the parameters that have one.
        commit: Git commit of the folder, as the parameter `code_commit`; empty when it is not known.
        remarks: Images that could not be pinned, and the consequence.
        kind: Which of the project's pipelines it is.
    """

    project: Project
    folder: Path
    label: OwnershipLabel
    spec: str
    version: str
    archive: tuple[Path, str] | None
    parameters: dict[str, str]
    defaults: dict[str, Any]
    commit: str = ""
    remarks: tuple[str, ...] = ()
    kind: Pipeline = TRAINING

    @property
    def pipeline(self) -> str:
        """The pipeline's name on the server."""
        return self.kind.name_of(self.project.name)

    @property
    def experiment(self) -> str:
        """The experiment of its runs: those of training are not lost among the hourly ones of others."""
        return self.project.name if self.kind == TRAINING else self.pipeline

    @property
    def schedules(self) -> list[Schedule]:
        """Its schedules: of training those that the project names, of the others the recurring run that makes them useful."""
        if self.kind == TRAINING:
            return self.project.triggers.schedules
        labels = self.project.feedback
        crons = {
            MONITORING: self.project.monitor.schedule,
            SETTLING: self.project.monitor.schedule,
            JOINING: labels.schedule if labels else "",
            WATCHING: self.project.triggers.watch,
        }
        cron = crons.get(self.kind, "")
        return [Schedule(name=_RECURRING, cron=cron)] if cron else []

    def given_parameters(self, schedule: Schedule) -> dict[str, Any]:
        """Parameters that the project gives the runs of a schedule: those of training also have what `triggers.retrain` says."""
        return self.project.triggers.parameters_of(schedule) if self.kind == TRAINING else schedule.parameters

    def schedule_label(self, schedule: Schedule) -> OwnershipLabel:
        """Return the ownership label of a schedule's recurring run; those of training have the bare name, as they always had."""
        name = schedule.name if self.kind == TRAINING else f"{self.kind.name}/{schedule.name}"
        return OwnershipLabel(self.label.owner, self.label.project, name)

    def data(self, given: Mapping[str, Any]) -> Data:
        """Return the section `data` of a training run: locations as the cluster reads them, and the source and spans that are given."""
        compiled = Project.model_validate_json(self.defaults["project"]).data
        return compiled.model_copy(
            update={name: str(given.get(name) or self.defaults[name]) for name in ("source", "spans")}
        )

    def parameters_of(self, schedule: Schedule) -> dict[str, Any]:
        """Parameters of each run of a schedule: none may be older than the run."""
        return {**self.fresh_parameters(f"schedule {schedule.name}"), **self.given_parameters(schedule)}

    def fresh_parameters(self, cause: str) -> dict[str, Any]:
        """Parameters of a run for which nothing is pinned, of those that the pipeline has."""
        given = {**FRESH, "cause": cause, COMMIT: self.commit}
        return {name: value for name, value in given.items() if name in self.parameters}


def find_projects(paths: Sequence[Path]) -> list[Path]:
    """Find the folders of the named projects, or of all that git tracks in this repository.

    Raises:
        ConfigError: When none is named and git tracks none.
    """
    if paths:
        return [path if path.is_dir() else path.parent for path in paths]
    root = Path(run_git(Path(), "rev-parse", "--show-toplevel") or ".")
    listed = run_git(root, "ls-files", PROJECT_FILE, f"*/{PROJECT_FILE}").splitlines()
    if not listed:
        message = f"git tracks no {PROJECT_FILE} here"
        raise ConfigError(message, where=str(root.resolve()), remedy="name the projects, or add them to git")
    return [(root / name).parent for name in listed]


@contextmanager
def read_desired_pipelines(
    folders: Sequence[Path], connection: Connection, kinds: Collection[Pipeline] = tuple(PIPELINES.values())
) -> Iterator[list[DesiredPipeline]]:
    """Compile projects to their desired state; the compiled files exist until the block ends.

    Args:
        folders: The projects' folders.
        connection: The server.
        kinds: The pipelines that are wanted, where a project has them.

    Yields:
        The pipelines of each project, training first.

    Raises:
        ConfigError: When a project cannot be applied as it is; then nothing has been changed.
    """
    remote_store()
    target = Target.from_environment().with_digest_lookup()
    with tempfile.TemporaryDirectory() as build:
        projects = [(folder, load_project(folder)) for folder in folders]
        _check_unique_names(projects)
        read = [
            desired
            for number, (folder, project) in enumerate(projects)
            for desired in _read_pipelines(folder, project, Path(build) / str(number), target, kinds)
        ]
        for desired in read:
            for schedule in desired.schedules if desired.kind == TRAINING else ():
                check_schedule(desired, schedule, connection)
        yield read


def remote_store() -> str:
    """Return the store that runs on a cluster use.

    Raises:
        ConfigError: When it is a folder of this machine.
    """
    store = Settings.from_environment().store
    if "://" not in store or store.startswith("file:"):
        remedy = "name the one that the cluster's stages use, as in NARU_STORE=s3://bucket (manifests/overlays/*/settings.yaml)"
        raise ConfigError(
            "the store is a folder of this machine, which a cluster cannot read", where=STORE, remedy=remedy
        )
    return store.rstrip("/")


def check_schedule(desired: DesiredPipeline, schedule: Schedule, connection: Connection) -> None:
    """Refuse a schedule that would not run as written.

    Raises:
        ConfigError: When it would not; the message says what to write.
    """
    where = f"{desired.folder / PROJECT_FILE}, schedule {schedule.name}"
    if schedule.timezone != connection.timezone:
        message = f"is in {schedule.timezone}, but the KFP server reads every cron expression in {connection.timezone}"
        remedy = (
            f"write it in {connection.timezone} (timezone: {connection.timezone}); or change the server's "
            f"CRON_SCHEDULE_TIMEZONE, which is shared by all, and set {TIMEZONE} to it"
        )
        raise ConfigError(message, where=where, remedy=remedy)
    given = desired.given_parameters(schedule)
    check_parameters(desired, given, where)
    check_source(desired, given, where)


def check_parameters(desired: DesiredPipeline, given: Mapping[str, Any], where: str) -> None:
    """Refuse parameters that the pipeline does not have, or of another type.

    Raises:
        ConfigError: When one is refused; the message names the first.
    """
    free = sorted(set(desired.parameters) - set(_SET_BY_NARU))
    known = f"the pipeline {desired.kind.name}" if desired.kind != TRAINING else "the pipeline"
    for name, value in given.items():
        if name in _SET_BY_NARU:
            raise ConfigError(
                f"{name} comes from git and cannot be set for a run", where=where, remedy="change the project instead"
            )
        if name not in free:
            raise ConfigError(f"{known} has no parameter {name!r}; {suggest(name, free)}", where=where)
        _check_value(name, value, where)
        kind = desired.parameters[name]
        fits = isinstance(value, _PYTHON_TYPES.get(kind, (object,))) and (
            kind == "BOOLEAN" or not isinstance(value, bool)
        )
        if not fits:
            must_be = {"STRING": "text: put it in quotes", "NUMBER_INTEGER": "a whole number"}.get(kind, kind.lower())
            raise ConfigError(f"{name}: found {value!r}; must be {must_be}", where=where)


def _check_value(name: str, value: Any, where: str) -> None:
    """Refuse credentials, which everybody who may see a run could read, and placeholders other than the run's id."""
    if found := find_credentials(str(value)):
        raise ConfigError(f"{name}: holds {found}", where=where, remedy=CREDENTIALS_REMEDY)
    check_placeholders(str(value), f"{where}: {name}", allowed=PER_RUN)


def check_source(desired: DesiredPipeline, given: Mapping[str, Any], where: str) -> None:
    """Refuse a location that only this machine has, and spans that a source cannot have.

    Args:
        desired: The project.
        given: Parameters that override the project's.
        where: Where they are given.

    Raises:
        ConfigError: When the source is a relative path, its pattern is invalid, or the spans are; the message says what is allowed.
    """
    for name in ("source", "output") if desired.kind != TRAINING else ():
        if given.get(name) and is_relative(str(given[name])):
            message = f"the {name} {given[name]!r} is a path on this machine, which runs on a cluster cannot reach"
            raise ConfigError(message, where=where, remedy="name it by a URL, as in s3://bucket/flights.parquet")
    if desired.kind != TRAINING:
        return
    data = desired.data(given)
    if is_relative(data.source):
        message = f"the source {data.source!r} is a path on this machine, which runs on a cluster cannot read"
        raise ConfigError(message, where=where, remedy="name it by a URL, as in s3://bucket/flights-{span}.csv")
    for number, join in enumerate(data.join):
        if is_relative(join.source):
            message = f"the source {join.source!r} is a path on this machine, which runs on a cluster cannot read"
            remedy = "name it by a URL, as in s3://bucket/weather.csv"
            raise ConfigError(message, where=join_path(number), remedy=remedy)
    try:
        parse_spans(data.spans, span_unit(data))
    except ConfigError as error:
        raise ConfigError(f"{error.where}: {error.message}", where=where, remedy=error.remedy) from None


def _read_pipelines(
    folder: Path, project: Project, build: Path, target: Target, kinds: Collection[Pipeline]
) -> Iterator[DesiredPipeline]:
    """Compile the pipelines of a project that are wanted, training first: a watcher names the version that it starts."""
    file = archive = None
    if TRAINING in kinds or WATCHING in kinds:
        file, archive = compile_with_code(project, folder, build, target)
    for kind in needed_pipelines(project):
        if kind == TRAINING and kind in kinds and file and archive:
            yield _read_compiled(kind, folder, project, file, archive, target)
        elif kind != TRAINING and kind in kinds:
            compiled = compile_pipeline(project, kind, build, target)
            yield _read_compiled(kind, folder, project, compiled, None, target)


def _read_compiled(
    kind: Pipeline, folder: Path, project: Project, file: Path, archive: Path | None, target: Target
) -> DesiredPipeline:
    spec, _ = read_spec(file)
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    text = file.read_text(encoding="utf-8")
    return DesiredPipeline(
        project=project,
        folder=folder,
        label=OwnershipLabel(find_owner(folder), project.name),
        spec=text,
        version=version_of(text),
        archive=(archive, str(inputs["code_uri"]["defaultValue"])) if archive else None,
        parameters={name: str(definition["parameterType"]) for name, definition in inputs.items()},
        defaults={
            name: definition["defaultValue"] for name, definition in inputs.items() if "defaultValue" in definition
        },
        commit=read_commit(folder),
        remarks=tuple(target.remarks()),
        kind=kind,
    )


def _check_unique_names(projects: Sequence[tuple[Path, Project]]) -> None:
    folders: dict[str, Path] = {}
    for folder, project in projects:
        name = project.name
        if name in folders:
            message = f"two projects are named {name!r}: {folders[name]} and {folder}"
            raise ConfigError(message, remedy="give each a name of its own")
        folders[name] = folder
