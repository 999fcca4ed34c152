"""Parameters of a training run that a KFP server starts: what they pin, and what the stages look up themselves where they cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from components._core.errors import NaruError
from components._core.project.approval_config import Approval
from components._core.project.data_config import Data
from components._core.project.placeholders import CLAIM, COMMIT, FRESH
from components._core.project.project_file import Project
from components._core.store.ledger import current_champion
from components._data.joins.source_state import fingerprint_state


def training_parameters(
    store: str, project: str, data: Data, *, cause: str, commit: str, cache: bool, claim: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Make the parameters of a run, and notes on what could not be pinned: then every stage runs again, rather than from stale results.

    Args:
        store: Root of the object store.
        project: The project's name.
        data: The section `data` of the run, with locations that can be read from here.
        cause: Why the run is started.
        commit: Git commit of the project; empty when it is not known.
        cache: Whether unchanged stages may be taken from earlier runs.
        claim: Output of `format_claim`; empty: no watcher starts the run.
    """
    notes: list[str] = []
    parameters: dict[str, Any] = {**FRESH, "champion": _pin_champion(store, project, notes), "cause": cause}
    parameters |= {COMMIT: commit, **({CLAIM: claim} if claim else {})}
    if cache and not notes:
        parameters["source_fingerprint"] = _pin_source(data, notes)
    return parameters, notes


def require_approval(project: Project, approve: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameter of a run whose version must be approved otherwise than the project says; none where `approve` is empty.

    Args:
        project: The project as the run gets it.
        approve: Who must approve its version, as in `serve.approve`.
    """
    if not approve:
        return {}
    serve = project.serve.model_copy(update={"approve": Approval.model_validate(approve)})
    return {"project": project.model_copy(update={"serve": serve}).to_json()}


def _pin_champion(store: str, project: str, notes: list[str]) -> str:
    """Read the current champion from the ledger; `auto` when the ledger cannot be read from here."""
    try:
        champion = current_champion(store, project)
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
