"""The champion as the baseline for a new version: its server, and the rows that it can take, or why it cannot be compared."""

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
class Baseline:
    """The champion as far as it can be compared; a failure of the champion is reported and does not stop the deployment.

    Attributes:
        name: Name for messages; empty when there is none, or it is the new version itself.
        not_compared: Why it is not compared; empty as long as it is.
        model: The folder of its model.
        served: The champion on its server; None before it is served, and when it is not compared.
    """

    name: str = ""
    not_compared: str = ""
    model: Path | None = None
    served: Served | None = None

    def exclude(self, reason: object) -> None:
        """Exclude it from the comparison."""
        self.not_compared, self.model, self.served = f"not compared with {self.name}: {reason}", None, None

    def rows_for_both(self, rows: pa.Table) -> pa.Table:
        """Keep the rows that it can take too; all rows when it can take none, and is excluded."""
        if self.served is None:
            return rows
        shared, reason = _select_rows(rows, self.served.features)
        if reason := reason or _find_refusal(self.served, shared):
            self.exclude(reason)
            return rows
        return shared


def fetch_baseline(champion: Deployment | None, registered: dict[str, Any], folder: Path) -> Baseline:
    """Fetch the champion's model.

    Args:
        champion: The champion's line of the ledger; None when there is none.
        registered: The new version, as in `registration.json`.
        folder: Folder for the copy of the model; a model in a local folder is read in place.
    """
    if champion is None:
        return Baseline(not_compared="there is no champion to compare with")
    if (champion.version, champion.model) == (registered["version"], registered["model"]):
        return Baseline(not_compared="it is the champion itself")
    baseline = Baseline(f"champion v{champion.version.removeprefix('v')}")
    try:
        baseline.model = fetch_verified(champion.model, champion.registration_sha256, folder)
    except ModelError as error:
        baseline.exclude(f"its model is not the one that was registered: {error.message}")
    except NaruError as error:
        baseline.exclude(f"its model cannot be fetched: {error.message}")
    except ValueError as error:  # fsspec does not know the scheme
        baseline.exclude(f"its model cannot be found: {error}")
    return baseline


def _select_rows(rows: pa.Table, features: tuple[Feature, ...]) -> tuple[pa.Table, str]:
    """Select the rows in which no required value is missing, or say why there are none."""
    lacking = sorted({feature.name for feature in features} - set(rows.column_names))
    if lacking:
        return rows, f"it needs columns that this version does not have: {', '.join(lacking)}"
    retyped = [item.name for item in features if item.type.is_text != is_text(rows[item.name].type)]
    if retyped:
        return rows, f"it takes columns that have another type now: {', '.join(retyped)}"
    required = [find_missing(rows[feature.name]) for feature in features if not feature.nullable]
    kept = ~np.logical_or.reduce([np.zeros(rows.num_rows, dtype=bool), *required])
    return rows.filter(pa.array(kept)), "" if kept.any() else "it requires values that are missing in every row now"


def _find_refusal(served: Served, rows: pa.Table) -> str:
    client = Client(served.server.host, served.server.port, served.name)
    try:
        answer = client.infer(to_request(rows, served.features))
    except NaruError as error:
        return error.message
    finally:
        client.close()
    return (
        "" if answer.status == 200 else f"it refuses today's rows with {answer.status}: {answer.body.get('error', '')}"
    )
