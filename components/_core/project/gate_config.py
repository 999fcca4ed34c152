"""The section of the project file about gates: what blocks a run, a model, a deployment."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt, model_validator

from components._core.project.config_types import Real, Section
from components._core.project.picture_gate_config import PictureGates
from components._core.project.text_gate_config import TextGates
from components._core.suggestions import list_alternatives
from components._core.types.tasks import TASKS

Severity = Literal["fail", "warn", "ignore"]


class DataGates(Section):
    """Policy of validation: what blocks a run."""

    later: ClassVar[frozenset[str]] = frozenset({"pictures", "texts"})

    anomalies: Annotated[
        dict[str, Severity],
        Field(
            description="Severity by kind of anomaly (docs/stages/validate.md lists them); others keep their default."
        ),
    ] = {}
    drift: Annotated[
        Real, Field(gt=0, le=1, description="Distance between old and new data from which a feature counts as drifted.")
    ] = 0.1
    drift_severity: Severity = "warn"
    min_rows: Annotated[
        StrictInt, Field(ge=1, description="Fewest rows for which drift is judged: small samples raise false alarms.")
    ] = 100
    pictures: PictureGates = PictureGates()
    texts: TextGates = TextGates()


class Bound(Section):
    """An absolute bound on a metric."""

    min: Real | None = None
    max: Real | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Bound:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min:g}) must not be above max ({self.max:g})")
        return self


class ModelGates(Section):
    """Conditions that a model must meet before it is registered and deployed."""

    thresholds: Annotated[dict[str, Bound], Field(description="Absolute bounds by metric name.")] = {}
    metric: Annotated[
        str,
        Field(
            description="Metric by which the model is compared with the champion; empty: "
            f"{list_alternatives([task.primary for task in TASKS.values()])} by task.",
        ),
    ] = ""
    first: Annotated[
        Literal["block", "deploy"],
        Field(
            description="A first model, with no champion to beat, that is hardly better than no model, never predicts a "
            "class, or has a feature that alone predicts the label: `block` keeps it from being deployed, `deploy` only warns."
        ),
    ] = "block"
    leaks: Annotated[
        Literal["first", "block", "warn"],
        Field(
            description="A feature that alone predicts the whole label: `block` keeps every model with one from being registered, `warn` "
            "none; `first` does with a first model as the setting `first` says, and warns of later ones."
        ),
    ] = "first"
    min_gain: Annotated[
        Real, Field(description="Smallest gain over the champion on the same rows; 0: any gain counts.")
    ] = 0.0
    importance_agreement: Annotated[
        Real,
        Field(
            ge=-1,
            le=1,
            description="Rank correlation of the features' importance with the champion's, on the same rows, below which explain warns.",
        ),
    ] = 0.5
    importance_shift: Annotated[
        Real,
        Field(
            gt=0,
            le=1,
            description="Change of a feature's share of all importance since the champion, above which explain warns.",
        ),
    ] = 0.2
    slices: Annotated[list[str], Field(description="Columns whose values are evaluated as slices.")] = []
    slice_min_rows: Annotated[
        StrictInt, Field(ge=1, description="Fewest rows for which a slice is judged; smaller ones are only shown.")
    ] = 100


class ServingGates(Section):
    """Gates of the served model. A value without a bound is measured and shown, and blocks nothing."""

    p95_ms: Annotated[Real, Field(gt=0, description="95th percentile of the latency of one row, in milliseconds.")] = (
        100.0
    )
    p50_ms: Annotated[Real | None, Field(gt=0, description="Median latency of one row, in milliseconds.")] = None
    p99_ms: Annotated[
        Real | None, Field(gt=0, description="99th percentile of the latency of one row, in milliseconds.")
    ] = None
    parity: Annotated[
        Real, Field(gt=0, description="Largest allowed difference between an offline and a served number.")
    ] = 1e-4
    concurrency: Annotated[
        StrictInt,
        Field(ge=1, le=16, description="Concurrent clients of the load test; the server refuses a seventeenth."),
    ] = 4
    load_seconds: Annotated[
        Real, Field(gt=0, le=600, description="Duration of the load test; with a champion, each of the two gets half.")
    ] = 2.0
    throughput: Annotated[
        Real | None, Field(gt=0, description="Minimum requests per second (one row each) under `concurrency` clients.")
    ] = None
    error_rate: Annotated[
        Real, Field(ge=0, lt=1, description="Allowed share of valid requests under load that fail.")
    ] = 0.0
    cold_start_seconds: Annotated[
        Real | None, Field(gt=0, description="Maximum time from the start of the server to its first answer.")
    ] = None
    memory_mb: Annotated[Real | None, Field(gt=0, description="Maximum memory of the server after the load test.")] = (
        None
    )
    size_mb: Annotated[Real | None, Field(gt=0, description="Maximum size of the model's files.")] = None
    slower_percent: Annotated[
        Real | None,
        Field(ge=0, description="How much higher p95 under load may be than the champion's, measured in turns."),
    ] = None


class Gates(Section):
    """All gates, by stage."""

    data: DataGates = DataGates()
    model: ModelGates = ModelGates()
    serving: ServingGates = ServingGates()
