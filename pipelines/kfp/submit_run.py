"""Start one run: pin its inputs by fingerprints, as a local run does, and record its cause."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components._core.errors import ConfigError, NaruError
from components._core.project.approval_config import Approval
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.store.ledger import current_champion
from components._data.joins.source_state import fingerprint_state
from pipelines.kfp.apply_changes import Change, apply_version, find_pipeline
from pipelines.kfp.desired_state import (
    COMMIT,
    FRESH,
    SERVICE_ACCOUNT,
    DesiredProject,
    check_parameters,
    check_source,
    remote_store,
)
from pipelines.kfp.server_state import Server

_WHERE = "--param"


@dataclass(frozen=True)
class Submitted:
    """A run that was started.

    Attributes:
        id: The server's id of the run.
        name: Its display name.
        notes: What could not be pinned, and what was done instead.
    """

    id: str
    name: str
    notes: tuple[str, ...]


def submit(
    server: Server,
    desired: DesiredProject,
    given: Mapping[str, Any],
    *,
    cause: str,
    cache: bool,
    name: str = "",
    approve: Mapping[str, Any] | None = None,
) -> Submitted:
    """Start a run of the version that the project's files compile to; it is uploaded first if it does not exist.

    Args:
        server: The server.
        desired: The project.
        given: Parameters that override the project's.
        cause: Reason for the run, in a few words.
        cache: Whether unchanged stages may be taken from earlier runs.
        name: Display name of the run; empty: of the time and random digits.
        approve: Who must approve its version, as in `serve.approve`; None or empty: as the project says.

    Raises:
        ConfigError: When a parameter is not valid, or the source is a path of this machine.
        NaruError: When the server refused the run.
    """
    check_parameters(desired, given, _WHERE)
    check_source(desired, given, _WHERE)
    parameters, notes = run_parameters(desired, given, cause, cache)
    if approve:
        parameters["project"] = _with_approval(desired, approve)
    ids, changes = _ensure_version(server, desired)
    name = (
        name or f"{desired.project.name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    )  # two may start within a second
    parameters = {**parameters, "run": given.get("run") or name}  # report and registry use the name in the KFP UI
    body = {
        "display_name": name,
        "description": desired.label.describe(f"Cause: {cause}."),
        "experiment_id": server.experiment(desired.project.name),
        "pipeline_version_reference": {"pipeline_id": ids[0], "pipeline_version_id": ids[1]},
        "runtime_config": {"parameters": parameters},
        "service_account": SERVICE_ACCOUNT,
    }
    run = server.kfp.post("/runs", body)
    return Submitted(str(run["run_id"]), name, (*map(str, changes), *notes))


def _with_approval(desired: DesiredProject, approve: Mapping[str, Any]) -> str:
    project = Project.model_validate_json(desired.defaults["project"])
    serve = project.serve.model_copy(update={"approve": Approval.model_validate(approve)})
    return project.model_copy(update={"serve": serve}).to_json()


def run_parameters(
    desired: DesiredProject, given: Mapping[str, Any], cause: str, cache: bool
) -> tuple[dict[str, Any], list[str]]:
    """Make the parameters of a run, and notes on what could not be pinned: then every stage runs again, rather than from stale results."""
    notes: list[str] = []
    parameters: dict[str, Any] = {
        **FRESH,
        "champion": _pin_champion(desired, notes),
        "cause": cause,
        COMMIT: desired.commit,
    }
    if cache and not notes:
        parameters["source_fingerprint"] = _pin_source(desired.data(given), notes)
    return {**parameters, **given}, notes


def read_parameters(desired: DesiredProject, texts: Sequence[str]) -> dict[str, Any]:
    """Parse `["trials=5"]` to `{"trials": 5}`, by the types of the pipeline's parameters.

    Raises:
        ConfigError: When one has no `=`, or is not a number where one is needed.
    """
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"found {text!r}", where=_WHERE, remedy="write NAME=VALUE, as in --param spans=1-12")
        given[name.strip()] = _parse_value(value, desired.parameters.get(name.strip(), ""))
    return given


def _parse_value(value: str, kind: str) -> Any:
    if kind in ("STRING", ""):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _pin_champion(desired: DesiredProject, notes: list[str]) -> str:
    """Read the current champion from the ledger; `auto` when the ledger cannot be read from here."""
    try:
        champion = current_champion(remote_store(), desired.project.name)
    except NaruError as error:
        notes.append(
            f"the stages will look up the champion, because the ledger cannot be read from here: {error.message}"
        )
        return FRESH["champion"]
    return json.dumps(asdict(champion), sort_keys=True) if champion else "none"


def _pin_source(data: Data, notes: list[str]) -> str:
    try:
        return fingerprint_state(data)
    except (NaruError, OSError) as error:
        reason = getattr(error, "message", str(error))
        notes.append(f"no stage is taken from the cache, because the source cannot be read from here: {reason}")
        return FRESH["source_fingerprint"]


def _ensure_version(server: Server, desired: DesiredProject) -> tuple[tuple[str, str], list[Change]]:
    changes: list[Change] = []
    ids = ("", "")
    for step in apply_version(server, desired, find_pipeline(server, desired), dry=False):
        if isinstance(step, Change):
            changes += [step] if step.action != "keep" else []
        else:
            ids = step
    return ids, changes


def run_url(server: Server, run_id: str) -> str:
    """Return the URL of the run's page; empty when no UI address is set."""
    ui = server.kfp.connection.ui
    return f"{ui}/#/runs/details/{run_id}" if ui else ""
