"""The desired state of a server, from git: for each project its pipeline, the version that its files compile to, its schedules."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.credentials import find_credentials
from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.project.placeholders import PER_RUN
from components._core.project.project_file import PROJECT_FILE, Project, load_project
from components._core.project.trigger_config import Schedule
from components._core.project.value_rules import CREDENTIALS_REMEDY, check_placeholders
from components._core.setting_names import STORE
from components._core.settings import Settings
from components._core.suggestions import suggest
from components._data.joins.joined_columns import join_path
from components._data.sources.registry import is_relative, span_unit
from components._data.sources.span_expression import parse_spans
from pipelines.compile_target import Target
from pipelines.compiler import compile_with_code
from pipelines.git import read_commit, run_git
from pipelines.graphs.pipelines import TRAINING
from pipelines.kfp.connection import TIMEZONE, Connection
from pipelines.kfp.ownership import OwnershipLabel, find_owner
from pipelines.spec_text import read_spec

SERVICE_ACCOUNT = "naru-runner"
FRESH = {"source_fingerprint": PER_RUN, "champion": f"auto {PER_RUN}", "run": PER_RUN}
"""Parameters of a run for which nothing is pinned: its stages look it up themselves (docs/decisions/0005)."""

COMMIT = "code_commit"
"""Parameter of a run: the git commit of the project, for the run's record. A compiled pipeline has none, so that it is the same at each commit."""

_SET_BY_NARU = ("project", "code_uri", "code_fingerprint", COMMIT)
_HASH = 12
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,), "NUMBER_INTEGER": (int,), "NUMBER_DOUBLE": (int, float), "BOOLEAN": (bool,)
}  # fmt: skip


@dataclass(frozen=True)
class DesiredProject:
    """The desired state of one project on the server.

    Attributes:
        project: The project.
        folder: Its folder.
        label: Ownership label of the project's objects.
        spec: The compiled pipeline, as text.
        version: The version's name: a hash of the spec.
        archive: The project's code archive, and the URI where runs read it.
        parameters: Type by name of the pipeline's parameters.
        defaults: Default by name of the parameters that have one.
        commit: Git commit of the folder, as the parameter `code_commit`; empty when it is not known.
        remarks: Images that could not be pinned, and the consequence.
    """

    project: Project
    folder: Path
    label: OwnershipLabel
    spec: str
    version: str
    archive: tuple[Path, str]
    parameters: dict[str, str]
    defaults: dict[str, Any]
    commit: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def pipeline(self) -> str:
        """The pipeline's name on the server."""
        return TRAINING.name_of(self.project.name)

    def data(self, given: Mapping[str, Any]) -> Data:
        """Return the section `data` of a run: locations as the cluster reads them, and the source and spans that are given."""
        compiled = Project.model_validate_json(self.defaults["project"]).data
        return compiled.model_copy(
            update={name: str(given.get(name) or self.defaults[name]) for name in ("source", "spans")}
        )

    def parameters_of(self, schedule: Schedule) -> dict[str, Any]:
        """Parameters of each run of a schedule: none may be older than the run."""
        return {
            **FRESH,
            "cause": f"schedule {schedule.name}",
            COMMIT: self.commit,
            **self.project.triggers.parameters_of(schedule),
        }


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
def read_desired_projects(folders: Sequence[Path], connection: Connection) -> Iterator[list[DesiredProject]]:
    """Compile projects to their desired state; the compiled files exist until the block ends.

    Raises:
        ConfigError: When a project cannot be applied as it is; then nothing has been changed.
    """
    store = remote_store()
    target = Target.from_environment().with_digest_lookup()
    with tempfile.TemporaryDirectory() as build:
        read = [
            _read_project(folder, Path(build) / str(number), store, target) for number, folder in enumerate(folders)
        ]
        _check_unique_names(read)
        for desired in read:
            for schedule in desired.project.triggers.schedules:
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


def check_schedule(desired: DesiredProject, schedule: Schedule, connection: Connection) -> None:
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
    given = desired.project.triggers.parameters_of(schedule)
    check_parameters(desired, given, where)
    check_source(desired, given, where)


def check_parameters(desired: DesiredProject, given: Mapping[str, Any], where: str) -> None:
    """Refuse parameters that the pipeline does not have, or of another type.

    Raises:
        ConfigError: When one is refused; the message names the first.
    """
    free = sorted(set(desired.parameters) - set(_SET_BY_NARU))
    for name, value in given.items():
        if name in _SET_BY_NARU:
            raise ConfigError(
                f"{name} comes from git and cannot be set for a run", where=where, remedy="change the project instead"
            )
        if name not in free:
            raise ConfigError(f"the pipeline has no parameter {name!r}; {suggest(name, free)}", where=where)
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


def check_source(desired: DesiredProject, given: Mapping[str, Any], where: str) -> None:
    """Refuse a source that only this machine has, and spans that it cannot have.

    Args:
        desired: The project.
        given: Parameters that override the project's.
        where: Where they are given.

    Raises:
        ConfigError: When the source is a relative path, its pattern is invalid, or the spans are; the message says what is allowed.
    """
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


def _read_project(folder: Path, build: Path, store: str, target: Target) -> DesiredProject:
    project = load_project(folder)
    file, archive = compile_with_code(project, folder, build, target)
    spec, _ = read_spec(file)
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    text = file.read_text(encoding="utf-8")
    return DesiredProject(
        project=project,
        folder=folder,
        label=OwnershipLabel(find_owner(folder), project.name),
        spec=text,
        version=_hash_spec(text),
        archive=(archive, str(inputs["code_uri"]["defaultValue"])),
        parameters={name: str(definition["parameterType"]) for name, definition in inputs.items()},
        defaults={
            name: definition["defaultValue"] for name, definition in inputs.items() if "defaultValue" in definition
        },
        commit=read_commit(folder),
        remarks=tuple(target.remarks()),
    )


def _hash_spec(spec: str) -> str:
    """Hash a spec, the same from both families of kfp: they differ only in comments and their own version."""
    lines = [line for line in spec.splitlines() if not re.match(r"#|sdkVersion: ", line)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH]


def _check_unique_names(read: list[DesiredProject]) -> None:
    folders: dict[str, Path] = {}
    for desired in read:
        name = desired.project.name
        if name in folders:
            message = f"two projects are named {name!r}: {folders[name]} and {desired.folder}"
            raise ConfigError(message, remedy="give each a name of its own")
        folders[name] = desired.folder
