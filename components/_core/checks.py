"""The result type of every gate: what was measured, against which bound, with which status.

A stage judges by a list of `Check`; the policy in `project.yaml` decides beforehand which of them block. The stage that
judges always succeeds: its `Outcome` carries the verdict on, and the next stage reads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from components._core.files import write_text

Status = Literal["pass", "warn", "fail", "no_baseline", "skipped"]
Verdict = Literal["ok", "warn", "blocked", "skipped"]


@dataclass(frozen=True)
class Check:
    """One check of a gate, with its result.

    Attributes:
        name: What was checked, such as `auc` or `missing: dep_delay`.
        status: `pass`, `warn`, `fail` (blocks), `no_baseline` (nothing to compare with: shown, never a silent pass) or
            `skipped`.
        measured: The value found, if it is a number.
        threshold: The bound that it was compared with.
        baseline: The value it was compared with, such as the champion's.
        n: The number of rows behind the answer.
        reason: One sentence for a person: why this status.
    """

    name: str
    status: Status
    measured: float | None = None
    threshold: float | None = None
    baseline: float | None = None
    n: int | None = None
    reason: str = ""

    def rounded(self) -> Check:
        """Return the check with numbers of six digits: further digits depend on the machine and would make equal runs differ."""
        measured, threshold, baseline = (
            None if value is None else round_off(value) for value in (self.measured, self.threshold, self.baseline)
        )
        return replace(self, measured=measured, threshold=threshold, baseline=baseline)


METRIC = "metric_"
"""Prefix of an outcome's metrics where they stand beside other facts of a stage."""


@dataclass(frozen=True)
class Outcome:
    """The result of a stage, which later stages depend on.

    Attributes:
        verdict: `ok`, `warn`, `blocked` (later stages must not use the result) or `skipped`.
        reason: One line that a person reads in the stage table.
        checks: The gates behind the verdict.
        metrics: The numbers worth showing, by name.
    """

    verdict: Verdict = "ok"
    reason: str = ""
    checks: tuple[Check, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write it as JSON; NaN and infinity become null, so any JSON reader can read it."""
        write_text(path, json.dumps(finite_or_none(asdict(self)), indent=2, sort_keys=True) + "\n")

    @classmethod
    def load(cls, path: Path) -> Outcome:
        """Read what `save` wrote."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(raw["verdict"], raw["reason"], tuple(Check(**check) for check in raw["checks"]), raw["metrics"])


def judge(checks: list[Check], reason: str = "", metrics: dict[str, float] | None = None) -> Outcome:
    """Combine checks into an outcome: any `fail` blocks, any `warn` or `no_baseline` warns.

    Args:
        checks: The checks, in the order in which a person should read them.
        reason: The line for the stage table when nothing failed; failures speak for themselves.
        metrics: The numbers worth showing, by name.
    """
    failed = [check for check in checks if check.status == "fail"]
    warned = [check for check in checks if check.status in ("warn", "no_baseline")]
    verdict: Verdict = "blocked" if failed else "warn" if warned else "ok"
    message = "; ".join(check.reason or check.name for check in failed) or reason
    return Outcome(verdict, message, tuple(checks), metrics or {})


def round_off(value: float) -> float:
    """Round a number to six significant digits."""
    return float(f"{value:.6g}")


def finite_or_none(value: Any) -> Any:
    """Return a value for JSON, with None for every number in it that is not finite."""
    if isinstance(value, dict):
        return {key: finite_or_none(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_or_none(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
