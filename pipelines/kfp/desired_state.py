"""What git says should be on the server: for each project its pipeline, the version that its files compile to, its schedules."""

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
from components._core.project.placeholders import PER_RUN
from components._core.project.project_file import PROJECT_FILE, Project, Schedule, load_project
from components._core.project.value_rules import CREDENTIALS_REMEDY, check_placeholders
from components._core.setting_names import STORE
from components._core.settings import Settings
from components._core.suggestions import suggest
from pipelines.compile_target import Target
from pipelines.compiler import compile_project
from pipelines.graphs.pipelines import TRAINING
from pipelines.kfp.connection import TIMEZONE, Connection
from pipelines.kfp.ownership import Mark, ask_git, find_owner
from pipelines.spec_text import read_spec

SERVICE_ACCOUNT = "naru-runner"
FRESH = {"source_fingerprint": PER_RUN, "champion": f"auto {PER_RUN}", "run": PER_RUN}
"""What a run is given that nothing is known of: its stages look for themselves (docs/decisions/0005)."""

_OURS_TO_SAY = ("project", "code_uri", "code_fingerprint")
_HASH = 12
_KINDS: dict[str, tuple[type, ...]] = {
    "STRING": (str,), "NUMBER_INTEGER": (int,), "NUMBER_DOUBLE": (int, float), "BOOLEAN": (bool,)
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """One project as the server should have it.

    Attributes:
        project: The project.
        folder: Its folder.
        mark: What says that an object is of this project.
        spec: The compiled pipeline, as text.
        version: The version's name: a hash of the spec.
        archive: The project's code, and where runs read it.
        parameters: Type by name of the pipeline's parameters.
        defaults: Value by name of those that have one.
        remarks: What could not be pinned, and what that means.
    """

    project: Project
    folder: Path
    mark: Mark
    spec: str
    version: str
    archive: tuple[Path, str]
    parameters: dict[str, str]
    defaults: dict[str, Any]
    remarks: tuple[str, ...] = ()

    @property
    def pipeline(self) -> str:
        """The pipeline's name on the server."""
        return TRAINING.name_of(self.project.name)

    def parameters_of(self, schedule: Schedule) -> dict[str, Any]:
        """What each run of a schedule is given: nothing of it may be older than the run."""
        return {**FRESH, "cause": f"schedule {schedule.name}", **schedule.parameters}


def find_projects(paths: Sequence[Path]) -> list[Path]:
    """The folders of the projects that are named, or of all that git knows in this repository.

    Raises:
        ConfigError: When none is named and git knows none.
    """
    if paths:
        return [path if path.is_dir() else path.parent for path in paths]
    root = Path(ask_git(Path(), "rev-parse", "--show-toplevel") or ".")
    listed = ask_git(root, "ls-files", PROJECT_FILE, f"*/{PROJECT_FILE}").splitlines()
    if not listed:
        message = f"git knows no {PROJECT_FILE} here"
        raise ConfigError(message, where=str(root.resolve()), remedy="name the projects, or add them to git")
    return [(root / name).parent for name in listed]


@contextmanager
def read_wanted(folders: Sequence[Path], connection: Connection) -> Iterator[list[Wanted]]:
    """What the files of some projects come to; what was compiled is there until the block ends.

    Raises:
        ConfigError: When a project cannot be brought to a server as it is; then nothing has been done.
    """
    store = remote_store()
    target = Target.from_environment().resolving()
    with tempfile.TemporaryDirectory() as build:
        read = [_read(folder, Path(build) / str(number), store, target) for number, folder in enumerate(folders)]
        _names_are_their_own(read)
        for wanted in read:
            for schedule in wanted.project.triggers.schedules:
                check_schedule(wanted, schedule, connection)
        yield read


def remote_store() -> str:
    """The store that runs on a cluster read and write.

    Raises:
        ConfigError: When it is a folder of this machine.
    """
    store = Settings.from_environment().store
    if "://" not in store or store.startswith("file:"):
        remedy = "name the one that the cluster's stages use, as in NARU_STORE=s3://bucket (manifests/overlays/*/settings.yaml)"
        raise ConfigError(
            "the store is a folder of this machine, which no cluster can read", where=STORE, remedy=remedy
        )
    return store.rstrip("/")


def check_schedule(wanted: Wanted, schedule: Schedule, connection: Connection) -> None:
    """Refuse a schedule that would not do what it says.

    Raises:
        ConfigError: Says what would happen, and what to write.
    """
    where = f"{wanted.folder / PROJECT_FILE}, schedule {schedule.name}"
    if schedule.timezone != connection.timezone:
        message = f"is meant in {schedule.timezone}, and the KFP server reads every cron in {connection.timezone}"
        remedy = (
            f"write it in {connection.timezone} and say so (timezone: {connection.timezone}); or have the server's "
            f"CRON_SCHEDULE_TIMEZONE changed for all, and {TIMEZONE} with it"
        )
        raise ConfigError(message, where=where, remedy=remedy)
    check_parameters(wanted, schedule.parameters, where)
    check_source(schedule.parameters.get("source") or wanted.defaults["source"], where)


def check_parameters(wanted: Wanted, given: Mapping[str, Any], where: str) -> None:
    """Refuse parameters that the pipeline has not, or not of this type.

    Raises:
        ConfigError: Names the first.
    """
    free = sorted(set(wanted.parameters) - set(_OURS_TO_SAY))
    for name, value in given.items():
        if name in _OURS_TO_SAY:
            raise ConfigError(f"{name} is what git says, not a run", where=where, remedy="change the project instead")
        if name not in free:
            raise ConfigError(f"the pipeline has no parameter {name!r}; {suggest(name, free)}", where=where)
        _check_text(name, value, where)
        kind = wanted.parameters[name]
        fits = isinstance(value, _KINDS.get(kind, (object,))) and (kind == "BOOLEAN" or not isinstance(value, bool))
        if not fits:
            must_be = {"STRING": "text: put it in quotes", "NUMBER_INTEGER": "a whole number"}.get(kind, kind.lower())
            raise ConfigError(f"{name}: found {value!r}; must be {must_be}", where=where)


def _check_text(name: str, value: Any, where: str) -> None:
    """Everybody who may see a run reads its parameters; placeholders in them are replaced, of which the run's id is ours."""
    if found := find_credentials(str(value)):
        raise ConfigError(f"{name}: holds {found}", where=where, remedy=CREDENTIALS_REMEDY)
    check_placeholders(str(value), f"{where}: {name}", allowed=PER_RUN)


def check_source(source: Any, where: str) -> None:
    """Refuse a source that only this machine has.

    Raises:
        ConfigError: Says how to name another.
    """
    if "://" not in str(source) and not Path(str(source)).is_absolute():
        message = f"the source {source!r} is a path on this machine, which runs on a cluster have not"
        raise ConfigError(message, where=where, remedy="name it by a URL, as in s3://bucket/flights-{span}.csv")


def _read(folder: Path, build: Path, store: str, target: Target) -> Wanted:
    project = load_project(folder)
    file, archive = compile_project(folder, build, {}, target)
    spec, _ = read_spec(file)
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    text = file.read_text(encoding="utf-8")
    return Wanted(
        project=project,
        folder=folder,
        mark=Mark(find_owner(folder), project.name),
        spec=text,
        version=_hash(text),
        archive=(archive, str(inputs["code_uri"]["defaultValue"])),
        parameters={name: str(told["parameterType"]) for name, told in inputs.items()},
        defaults={name: told["defaultValue"] for name, told in inputs.items() if "defaultValue" in told},
        remarks=tuple(target.remarks()),
    )


def _hash(spec: str) -> str:
    """The same from both families of kfp, which differ in comments and in their own version only."""
    lines = [line for line in spec.splitlines() if not re.match(r"#|sdkVersion: ", line)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH]


def _names_are_their_own(read: list[Wanted]) -> None:
    folders: dict[str, Path] = {}
    for wanted in read:
        name = wanted.project.name
        if name in folders:
            message = f"two projects are named {name!r}: {folders[name]} and {wanted.folder}"
            raise ConfigError(message, remedy="give each a name of its own")
        folders[name] = wanted.folder
