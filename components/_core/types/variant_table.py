"""What was measured of the optimised variants of a model, which of them is served, and what a server's model says of itself.

`evaluate` writes the table and the chosen variant, `register` puts it in the place of the model, and whatever shows a version reads it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from components._core.files import read_json, write_json
from components._core.types.artifact_files import VARIANT, VARIANTS

ORIGINAL = "original"
"""The name of the model as train left it, among its variants."""
VariantStatus = Literal["served", "passed", "refused", "not made"]


@dataclass(frozen=True)
class VariantRow:
    """One variant, or the model itself.

    Attributes:
        name: Its name in `serve.optimize`; `original` for the model itself.
        what: What was done to the model, for a person.
        status: `served`; `passed`: another one is faster; `refused`: it differs too much, or is not faster; `not made`.
        reason: Why, in one sentence.
        metric: The primary metric on the eval rows; None: not measured, as all below.
        difference: Largest difference of a score from the model's: of a probability, or in standard deviations of the predictions.
        relative: Largest difference of any number of any output, as a share of the model's own.
        changed_classes: Share of the rows whose predicted class is another; None also without classes.
        row_ms: Median milliseconds of a call with one row.
        row_p95_ms: 95th percentile of the same.
        batch_ms: Median milliseconds of a call with a thousand rows.
        speedup: How many times as fast it is, in the geometric mean of both calls and the median of the rounds.
        slowest_speedup: The same in the slowest of the rounds but one.
        bytes: Size of its files.
    """

    name: str
    what: str
    status: VariantStatus
    reason: str = ""
    metric: float | None = None
    difference: float | None = None
    relative: float | None = None
    changed_classes: float | None = None
    row_ms: float | None = None
    row_p95_ms: float | None = None
    batch_ms: float | None = None
    speedup: float | None = None
    slowest_speedup: float | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class VariantTable:
    """The variants of a model, and which one is served.

    Attributes:
        served: Name of the one that is served; `original`: the model itself.
        reason: Why, in one sentence.
        metric: Name of the primary metric.
        rows: Eval rows on which they were compared.
        settings: `serve.optimize`, as it was in force.
        entries: The model itself first, then the variants in the order in which they were made.
    """

    served: str
    reason: str
    metric: str
    rows: int
    settings: dict[str, Any] = field(default_factory=dict)
    entries: tuple[VariantRow, ...] = ()

    def save(self, folder: Path) -> None:
        """Write it into the evaluation."""
        write_json(folder / VARIANTS, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> VariantTable | None:
        """Read it from the evaluation, or from a registered version; None: the project has no `serve.optimize`."""
        if not (folder / VARIANTS).is_file():
            return None
        raw: dict[str, Any] = read_json(folder / VARIANTS)
        entries = tuple(VariantRow(**{name: _number(value) for name, value in each.items()}) for each in raw["entries"])
        return cls(**{**raw, "entries": entries})


@dataclass(frozen=True)
class ServedVariant:
    """What the model of a registered version says of itself, where its project has `serve.optimize`.

    Attributes:
        name: The variant that it is; `original`: the model as train left it.
        settings: `serve.optimize`, as it was in force.
        original: SHA-256 of each file of the model as train left it, by path.
    """

    name: str
    settings: dict[str, Any]
    original: dict[str, str]

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        write_json(file, asdict(self))

    @classmethod
    def load(cls, model: Path) -> ServedVariant | None:
        """Read it from a model's folder; None: the model is as train left it, and no variants of it were made."""
        try:
            return cls(**read_json(model / VARIANT))
        except (OSError, ValueError, TypeError):
            return None


def describe_served(model: Path) -> str:
    """Describe in words which variant a model's folder holds, as in `, as its variant int8`; empty: the model itself."""
    found = ServedVariant.load(model)
    return in_words(found.name) if found else ""


def in_words(name: str) -> str:
    """Return what is said behind a version of which a variant answers; empty for the model itself."""
    return "" if name == ORIGINAL else f", as its variant {name}"


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
