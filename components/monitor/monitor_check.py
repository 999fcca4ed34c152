"""The check of a monitor: a gate's check with what a trigger and a page need beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from components._core.checks import Check, round_off
from components._core.project.monitor_config import MonitorKind

Kind = MonitorKind
MINOR_IMPORTANCE = 0.01
"""A feature with a smaller share of the importance is at most a warning."""


@dataclass(frozen=True)
class MovedCell:
    """The value or range whose share moved most, against chance.

    Attributes:
        place: Place of the cell.
        name: The value or range.
        expected: Its share in the reference, 0 to 1.
        observed: Its share in the window, 0 to 1.
    """

    place: int
    name: str
    expected: float
    observed: float


@dataclass(frozen=True)
class MonitorCheck:
    """One check of a monitor.

    Attributes:
        check: Name, status, numbers and reason, as of every gate.
        kind: What it is about.
        feature: The feature or output; None when it is about none.
        importance: Share of the model's importance that the feature has, 0 to 1; None: unknown.
        p: p-value before the correction for many features; None for a check that is not a test.
        calibrated: Whether it was compared with blocks of the reference; None for a check that is not a test.
        cell: What moved most.
        requests: Ids of requests that have it.
        since: Begin of the first window of the unbroken run of alarms, ISO time; None when it does not alarm.
        window: Begin and end of the window that it judges, where that is not the run's: labels come later than answers.
        labelled: Of an alarm on values never seen in training the labelled rows that have such; None: they were not looked for.
        learnable: Whether they are enough to train on, and pass validate; None as above.
    """

    check: Check
    kind: Kind
    feature: str | None = None
    importance: float | None = None
    p: float | None = None
    calibrated: bool | None = None
    cell: MovedCell | None = None
    requests: list[str] = field(default_factory=list)
    since: str | None = None
    window: dict[str, str] | None = None
    labelled: int | None = None
    learnable: bool | None = None

    @property
    def alarms(self) -> bool:
        """Whether a person should look."""
        return self.check.status in ("warn", "fail")

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON (docs/monitoring.md)."""
        cell = self.cell
        shares = {"expected": round_off(cell.expected), "observed": round_off(cell.observed)} if cell else {}
        return {
            **asdict(self.check.rounded()),
            "kind": self.kind,
            "feature": self.feature,
            "importance": None if self.importance is None else round_off(self.importance),
            "p": None if self.p is None else round_off(self.p),
            "calibrated": self.calibrated,
            "cell": {"name": cell.name, **shares} if cell else None,
            "requests": self.requests,
            "since": self.since,
            "window": self.window,
            "labelled": self.labelled,
            "learnable": self.learnable,
        }
