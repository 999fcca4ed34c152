"""Start one run: pin its inputs by fingerprints, as a local run does, and record its cause."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components._core.errors import ConfigError
from components._core.project.project_file import Project
from components._kfp.server_state import Server
from components.watch.training_parameters import require_approval, training_parameters
from pipelines.graphs.pipelines import TRAINING
from pipelines.kfp.apply_changes import Change, apply_version, find_pipeline
from pipelines.kfp.desired_state import DesiredPipeline, check_parameters, check_source, remote_store

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
    desired: DesiredPipeline,
    given: Mapping[str, Any],
    *,
    cause: str,
    cache: bool,
    name: str = "",
    claim: str = "",
    approve: Mapping[str, Any] | None = None,
) -> Submitted:
    """Start a run of the version that the project's files compile to; it is uploaded first if it does not exist.

    Args:
        server: The server.
        desired: The pipeline, with its project.
        given: Parameters that override the project's.
        cause: Reason for the run, in a few words.
        cache: Whether unchanged stages may be taken from earlier runs.
        name: Display name of the run; empty: of the time and random digits.
        claim: Output of `format_claim`, of a run that a watcher starts.
        approve: Who must approve the version of a training run, as in `serve.approve`; None or empty: as the project says.

    Raises:
        ConfigError: When a parameter is not valid, or the source is a path of this machine.
        NaruError: When the server refused the run.
    """
    check_parameters(desired, given, _WHERE)
    check_source(desired, given, _WHERE)
    if desired.kind == TRAINING:
        fixed, notes = training_parameters(
            remote_store(),
            desired.project.name,
            desired.data(given),
            cause=cause,
            commit=desired.commit,
            cache=cache,
            claim=claim,
        )
        fixed |= require_approval(Project.model_validate_json(desired.defaults["project"]), approve or {})
    else:
        fixed, notes = desired.fresh_parameters(cause), []
    parameters = {**fixed, **given}
    ids, changes = _ensure_version(server, desired)
    name = (
        name or f"{desired.experiment}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    )  # two may start within a second
    if "run" in desired.parameters:
        parameters["run"] = given.get("run") or name  # report and registry use the name in the KFP UI
    description = desired.label.describe(f"Cause: {cause}.")
    run_id = server.start_run(name, description, desired.experiment, ids, parameters)
    return Submitted(run_id, name, (*map(str, changes), *notes))


def read_parameters(desired: DesiredPipeline, texts: Sequence[str]) -> dict[str, Any]:
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


def _ensure_version(server: Server, desired: DesiredPipeline) -> tuple[tuple[str, str], list[Change]]:
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
