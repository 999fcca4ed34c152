"""The champion: who it is, its model fetched, and why it cannot be compared when it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components._core.checks import Status
from components._core.errors import ModelError, ServiceError, UnavailableError
from components._core.examples.artifact import Manifest, missing_counts
from components._core.examples.reference_rows import Reference
from components._core.store.file_digests import fetch_verified
from components._core.store.ledger import Deployment
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.metrics.row_sums import Array
from components._core.types.prediction_interval import PredictionInterval
from components._core.types.signature import Signature
from components._core.types.variant_table import ServedVariant
from components._frameworks.contract import Model
from components._frameworks.table import load_model
from components.evaluate.unseen_rows import find_unseen


@dataclass(frozen=True)
class Champion:
    """The champion as far as it can be compared.

    Attributes:
        deployment: Its line of the ledger.
        model: Its model; None when it cannot be compared.
        status: What that means for the gate: `warn` when it is gone or cannot take today's rows (nothing better can be
            shown, and a broken champion must not block its successor), `no_baseline` when there are no rows to compare on,
            `fail` when it may only be out of reach just now.
        reason: Why it cannot be compared.
        unseen: Which test rows it was not trained on, shape [rows of the split]; None: none of them, as the model itself.
        folder: Its model's files, when it can be compared.
    """

    deployment: Deployment
    model: Model | None
    status: Status = "pass"
    reason: str = ""
    unseen: Array | None = None
    folder: Path | None = None

    @property
    def name(self) -> str:
        """As a person would say it."""
        return f"champion v{self.deployment.version.removeprefix('v')}"

    @property
    def threshold(self) -> float | None:
        """Its own threshold, by which it decides in service; None: the task's."""
        return Reference.load(self.folder).threshold if self.folder else None

    @property
    def interval(self) -> PredictionInterval | None:
        """What it answers beside a prediction in service; None: nothing."""
        return Reference.load(self.folder).interval if self.folder else None

    @property
    def variant(self) -> ServedVariant | None:
        """Which variant of its model it is; None: its project had no `serve.optimize`."""
        return ServedVariant.load(self.folder) if self.folder else None


def fetch_champion(deployment: Deployment, signature: Signature, examples: Path, folder: Path, label: str) -> Champion:
    """Fetch and load the champion's model, and see whether it takes the same rows.

    Args:
        deployment: Its line of the ledger.
        signature: Of the model that challenges it.
        examples: The examples artifact: what columns there are.
        folder: An empty folder to download into; a model that lies in a local folder is read where it is.
        label: The label's column.
    """
    try:
        where = fetch_verified(deployment.model, deployment.registration_sha256, folder)
    except UnavailableError as error:
        return Champion(deployment, None, "fail", f"its model cannot be fetched: {error.message}")
    except (ServiceError, ValueError) as error:  # ValueError: fsspec knows no such scheme
        return Champion(deployment, None, "warn", f"its model cannot be found: {_first_line(error)}")
    except ModelError as error:
        return Champion(deployment, None, "warn", f"its model is not the one that was registered: {error.message}")
    try:
        model = load_model(where)
    except ModelError as error:
        return Champion(deployment, None, "warn", f"its model cannot be loaded: {_first_line(error)}")
    problem = _problem(model.signature, signature, Manifest.load(examples).columns) or _gap(model.signature, examples)
    if problem:
        return Champion(deployment, None, "warn", problem)
    try:
        unseen, problem = find_unseen(deployment, examples, label)
    except UnavailableError as error:
        return Champion(deployment, None, "fail", f"how its rows were split cannot be fetched: {error.message}")
    if problem:
        return Champion(deployment, None, "no_baseline", problem, folder=where)
    return Champion(deployment, model, unseen=unseen, folder=where)


def _problem(champion: Signature, challenger: Signature, columns: dict[str, str]) -> str:
    if champion.task != challenger.task:
        return f"it was made for {champion.task}, not for {challenger.task}"
    if champion.classes != challenger.classes:
        return f"its classes are {_describe_classes(champion.classes)}, not {_describe_classes(challenger.classes)}"
    missing = sorted({feature.name for feature in champion.inputs} - columns.keys())
    if missing:
        return f"it needs columns that the data no longer has: {', '.join(missing)}"
    retyped = [item.name for item in champion.inputs if not COLUMN_TYPES[columns[item.name]].fits(item.type)]
    return f"it takes columns that have another type now: {', '.join(retyped)}" if retyped else ""


def _gap(champion: Signature, examples: Path) -> str:
    missing = missing_counts(examples, "test")
    gaps = [item.name for item in champion.inputs if item.type.missing is None and missing.get(item.name)]
    return f"it requires values that are missing in some rows now: {', '.join(gaps)}" if gaps else ""


def _describe_classes(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")
