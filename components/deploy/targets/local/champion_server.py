"""The champion as a rival of the version on trial: what can be asked of it, and why nothing can be when it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.errors import ModelError, NaruError
from components._core.store.file_digests import fetch_verified
from components._core.store.ledger import Deployment
from components._core.types.column_types import is_text
from components._core.types.oip_requests import find_missing, to_request
from components._core.types.signature import Feature
from components.deploy.model_client import Client
from components.deploy.performance import Served


@dataclass
class Rival:
    """The champion, as far as it can be compared with; whatever is wrong with it is told and stops nobody.

    Attributes:
        name: As a person would say it; empty when there is none, or it is the version on trial.
        problem: Why it is not compared with; empty as long as it is.
        model: Its model's folder.
        served: It behind a server; None before, and when there is a problem.
    """

    name: str = ""
    problem: str = ""
    model: Path | None = None
    served: Served | None = None

    def give_up(self, problem: object) -> None:
        """Compare with it no more."""
        self.problem, self.model, self.served = f"not compared with {self.name}: {problem}", None, None

    def rows_for_both(self, rows: pa.Table) -> pa.Table:
        """Those of the rows that it can take too; all of them when it can take none, and is given up."""
        if self.served is None:
            return rows
        shared, problem = _takeable(rows, self.served.features)
        if problem := problem or _refusal(self.served, shared):
            self.give_up(problem)
            return rows
        return shared


def find_rival(champion: Deployment | None, registered: dict[str, Any], folder: Path) -> Rival:
    """The champion with its model, fetched.

    Args:
        champion: Its line of the ledger; None when there is none.
        registered: The version on trial, as in `registration.json`.
        folder: Where its model is copied to; one that lies in a local folder is read where it is.
    """
    if champion is None:
        return Rival(problem="there is no champion to compare with")
    if (champion.version, champion.model) == (registered["version"], registered["model"]):
        return Rival(problem="it is the champion itself")
    rival = Rival(f"champion v{champion.version.removeprefix('v')}")
    try:
        rival.model = fetch_verified(champion.model, champion.registration_sha256, folder)
    except ModelError as error:
        rival.give_up(f"its model is not the one that was registered: {error.message}")
    except NaruError as error:
        rival.give_up(f"its model cannot be fetched: {error.message}")
    except ValueError as error:  # fsspec knows no such scheme
        rival.give_up(f"its model cannot be found: {error}")
    return rival


def _takeable(rows: pa.Table, features: tuple[Feature, ...]) -> tuple[pa.Table, str]:
    """The rows in which nothing is missing that the features require, or why there are none."""
    lacking = sorted({feature.name for feature in features} - set(rows.column_names))
    if lacking:
        return rows, f"it needs columns that this version does not take: {', '.join(lacking)}"
    retyped = [item.name for item in features if item.type.is_text != is_text(rows[item.name].type)]
    if retyped:
        return rows, f"it takes columns that have another type now: {', '.join(retyped)}"
    required = [find_missing(rows[feature.name]) for feature in features if not feature.nullable]
    kept = ~np.logical_or.reduce([np.zeros(rows.num_rows, dtype=bool), *required])
    return rows.filter(pa.array(kept)), "" if kept.any() else "it requires values that are missing in every row now"


def _refusal(served: Served, rows: pa.Table) -> str:
    client = Client(served.server.host, served.server.port, served.name)
    try:
        answer = client.ask(to_request(rows, served.features))
    except NaruError as error:
        return error.message
    finally:
        client.close()
    return (
        "" if answer.status == 200 else f"it refuses today's rows with {answer.status}: {answer.body.get('error', '')}"
    )
