"""Start one run: what it reads pinned by fingerprints, as on a laptop, and its cause written where people look."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components._core.errors import ConfigError, NaruError
from components._core.store.ledger import current_champion
from components._data.sources.registry import open_source
from pipelines.kfp.apply_changes import Change, bring_version, find_pipeline
from pipelines.kfp.desired_state import (
    FRESH,
    SERVICE_ACCOUNT,
    Wanted,
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
        id: The server's name for it.
        name: The one that is shown.
        notes: What could not be done as it should, and what was done instead.
    """

    id: str
    name: str
    notes: tuple[str, ...]


def submit(server: Server, wanted: Wanted, given: Mapping[str, Any], *, cause: str, cache: bool) -> Submitted:
    """Start a run of the version that the project's files compile to; it is uploaded first where it is not there.

    Args:
        server: Where.
        wanted: The project.
        given: Parameters that go before the project's.
        cause: Why, in a few words.
        cache: Whether stages that nothing has changed for may be taken from earlier runs.

    Raises:
        ConfigError: When a parameter does not fit, or the source is a path of this machine.
        NaruError: When the server refused.
    """
    check_parameters(wanted, given, _WHERE)
    check_source(given.get("source") or wanted.defaults["source"], _WHERE)
    parameters, notes = run_parameters(wanted, given, cause, cache)
    ids, changes = _ids(server, wanted)
    name = f"{wanted.project.name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"  # two may start in a second
    parameters = {**parameters, "run": given.get("run") or name}  # report and registry name it as Kubeflow's page does
    body = {
        "display_name": name,
        "description": wanted.mark.describe(f"Cause: {cause}."),
        "experiment_id": server.experiment(wanted.project.name),
        "pipeline_version_reference": {"pipeline_id": ids[0], "pipeline_version_id": ids[1]},
        "runtime_config": {"parameters": parameters},
        "service_account": SERVICE_ACCOUNT,
    }
    run = server.kfp.post("/runs", body)
    return Submitted(str(run["run_id"]), name, (*map(str, changes), *notes))


def run_parameters(
    wanted: Wanted, given: Mapping[str, Any], cause: str, cache: bool
) -> tuple[dict[str, Any], list[str]]:
    """What a run is given, and what could not be pinned: then every stage works anew, rather than from what is stale."""
    notes: list[str] = []
    parameters: dict[str, Any] = {**FRESH, "champion": _champion(wanted, notes), "cause": cause}
    if cache and not notes:
        source, spans = (str(given.get(name) or wanted.defaults[name]) for name in ("source", "spans"))
        parameters["source_fingerprint"] = _fingerprint(source, spans, notes)
    return {**parameters, **given}, notes


def read_parameters(wanted: Wanted, texts: Sequence[str]) -> dict[str, Any]:
    """`["trials=5"]` as `{"trials": 5}`, by the types that the pipeline has.

    Raises:
        ConfigError: When one has no `=`, or is no number where one is needed.
    """
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"found {text!r}", where=_WHERE, remedy="write NAME=VALUE, as in --param spans=1-12")
        given[name.strip()] = _typed(value, wanted.parameters.get(name.strip(), ""))
    return given


def _typed(value: str, kind: str) -> Any:
    if kind in ("STRING", ""):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _champion(wanted: Wanted, notes: list[str]) -> str:
    """The champion as the ledger has it now, as on a laptop; `auto` where the ledger cannot be reached from here."""
    try:
        champion = current_champion(remote_store(), wanted.project.name)
    except NaruError as error:
        notes.append(
            f"the champion is looked up by the stages, as the ledger cannot be read from here: {error.message}"
        )
        return FRESH["champion"]
    return json.dumps(asdict(champion), sort_keys=True) if champion else "none"


def _fingerprint(source: str, spans: str, notes: list[str]) -> str:
    try:
        return open_source(source).fingerprint(spans)
    except (NaruError, OSError) as error:
        told = getattr(error, "message", str(error))
        notes.append(f"nothing is taken from the cache, as the source cannot be seen from here: {told}")
        return FRESH["source_fingerprint"]


def _ids(server: Server, wanted: Wanted) -> tuple[tuple[str, str], list[Change]]:
    changes: list[Change] = []
    ids = ("", "")
    for told in bring_version(server, wanted, find_pipeline(server, wanted), dry=False):
        if isinstance(told, Change):
            changes += [told] if told.action != "keep" else []
        else:
            ids = told
    return ids, changes


def link_to(server: Server, run_id: str) -> str:
    """The run's page; empty when nobody said where the pages are."""
    ui = server.kfp.connection.ui
    return f"{ui}/#/runs/details/{run_id}" if ui else ""
