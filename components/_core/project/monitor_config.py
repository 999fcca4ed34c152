"""The section of the project file about the monitor of served requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictInt, model_validator

from components._core.project.config_types import Real, Section
from components._core.project.cron import check_optional_cron
from components._core.project.durations import Duration, to_timedelta

MonitorKind = Literal[
    "volume", "errors", "latency", "staleness", "invariant", "skew", "drift", "prediction", "coverage", "performance"
]
Severity = Literal["fail", "warn", "ignore"]
HOURLY = "0 15 * * * *"


def parse_hours(text: str) -> timedelta:
    """Parse a duration of whole hours: the log is counted by hour.

    Raises:
        ValueError: When it is not one.
    """
    found = to_timedelta(text)
    if not found or found % timedelta(hours=1):
        raise ValueError(f"found {text!r}; allowed: whole hours, as in 12h or 7d")
    return found


def _check_hours(text: str) -> str:
    parse_hours(text)
    return text


WholeHours = Annotated[Duration, AfterValidator(_check_hours)]


class Monitor(Section):
    """How answered requests are compared with training (docs/monitoring.md)."""

    window: Annotated[
        WholeHours, Field(description="Time whose requests are judged together, as in `24h` or `7d`.")
    ] = "7d"
    season: Annotated[
        Literal["auto", "weekday", "month", "none"],
        Field(
            description="What the training rows are matched by: a Saturday is compared with Saturdays, or a January with Januaries. `auto`: for "
            "each feature what makes the days of training most alike, where it has three of each."
        ),
    ] = "auto"
    alpha: Annotated[
        Real,
        Field(
            gt=0, lt=0.5, description="Probability of a false alarm, of one kind of check over all features together."
        ),
    ] = 0.01
    warn: Annotated[
        Real, Field(gt=0, le=1, description="Smallest Jensen-Shannon distance of a feature that is an alarm.")
    ] = 0.05
    fail: Annotated[Real, Field(gt=0, le=1, description="Smallest Jensen-Shannon distance that fails.")] = 0.1
    min_rows: Annotated[StrictInt, Field(ge=1, description="Fewest rows of a window that are judged.")] = 50
    max_error_share: Annotated[
        Real, Field(ge=0, le=1, description="Largest share of the requests that may be refused.")
    ] = 0.05
    max_drop: Annotated[
        Real,
        Field(
            ge=0,
            description="By how much the primary metric on labelled answers may be worse than at evaluate, in its unit; an alarm when "
            "the whole 95 % interval is.",
        ),
    ] = 0.02
    schedule: Annotated[
        str,
        AfterValidator(check_optional_cron),
        Field(
            description="When a cluster monitors: six fields, seconds first, in the time zone of the KFP server; empty: only by hand. An "
            "hour of the log is closed ten minutes after its end."
        ),
    ] = HOURLY
    max_age: Annotated[
        WholeHours | None, Field(description="Largest age of the champion, as in `90d`; absent: any.")
    ] = None
    ignore: Annotated[list[str], Field(description="Features that are not judged.")] = []
    severity: Annotated[
        dict[MonitorKind, Severity],
        Field(description="Largest severity by kind of check: `fail`, `warn` (never fails), `ignore` (not judged)."),
    ] = {}

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Monitor:
        if self.fail < self.warn:
            raise ValueError(f"warn ({self.warn:g}) must not be above fail ({self.fail:g})")
        return self
