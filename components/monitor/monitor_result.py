"""What a run of the monitor gave: a version's window with its checks, and the windows before it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from components._core.checks import Outcome
from components._core.monitoring.counts import Counts
from components._core.monitoring.reference import MonitoringReference
from components._core.request_log.answered_lines import BATCH
from components._core.types.tasks.metric import Metric
from components.monitor.answered_by import SERVER, batch_of
from components.monitor.estimate import Estimate, describe_estimate
from components.monitor.monitor_check import MonitorCheck
from components.monitor.served_metric import Performance, describe_window
from components.monitor.time_windows import HOUR, TimeWindow

_FORMAT = 1


@dataclass(frozen=True)
class Point:
    """What an earlier window gave.

    Attributes:
        window: The window.
        checks: Its checks by name.
    """

    window: TimeWindow
    checks: dict[str, MonitorCheck]


@dataclass(frozen=True)
class VersionResult:
    """What one version's window gave, of its servers or of its batch predictions.

    Attributes:
        version: The version.
        window: The window.
        counts: Its counts.
        checks: Its checks.
        history: Earlier windows, the oldest first, and this one last.
        reference: The version's reference; None: it has none.
        performance: The served metric on labelled answers.
        estimate: The metric of the window's answers by their scores alone; None: it cannot be estimated.
        source: `server` or `batch`.
    """

    version: str
    window: TimeWindow
    counts: Counts
    checks: list[MonitorCheck]
    history: list[Point] = field(default_factory=list)
    reference: MonitoringReference | None = None
    performance: Performance = field(default_factory=Performance)
    estimate: Estimate | None = None
    source: str = SERVER

    @property
    def name(self) -> str:
        """Who answered, see `answered_by.py`."""
        return batch_of(self.version) if self.source == BATCH else self.version

    def describe_performance(self, metric: Metric) -> list[str]:
        """Describe the served metric in lines: the newest final window, the newest partial one, and the estimate for the window."""
        newest = {served.is_final: served for served in self.performance.windows}
        found = [describe_window(newest[is_final], metric) for is_final in (True, False) if is_final in newest]
        return [*found, describe_estimate(self.estimate)] if self.estimate else found

    def to_json(self) -> dict[str, Any]:
        """Return it as docs/monitoring.md has it."""
        return {
            "version": self.version,
            "source": self.source,
            "window": {
                "since": self.window.since.isoformat(),
                "until": self.window.until.isoformat(),
                "hours": round(self.window.length / HOUR),
                "rows": self.counts.rows,
                "requests": self.counts.requests,
            },
            "checks": [check.to_json() for check in self.checks],
            "performance": [served.to_json() for served in self.performance.windows],
            "estimated": self.estimate.to_json() if self.estimate else None,
        }


@dataclass(frozen=True)
class MonitorResult:
    """What a run gave.

    Attributes:
        outcome: The verdict on the judged version.
        run: Name of the run.
        uri: Where `monitoring.json` is in the store.
        judged: The champion, else the version with the most rows; None: no version answered. Where no server ever
            answered, its batch predictions.
        others: Other versions that answered.
        batches: Batch predictions, by version.
        performance: What is known of the served metric, or why nothing is; a sentence each.
    """

    outcome: Outcome
    run: str
    uri: str
    judged: VersionResult | None
    others: list[VersionResult]
    batches: list[VersionResult]
    performance: tuple[str, ...] = ()

    def to_json(self, project: str, now: datetime) -> dict[str, Any]:
        """Return `monitoring.json`, as docs/monitoring.md has it.

        Args:
            project: The project's name.
            now: When the run began.
        """
        judged = self.judged
        own = judged.to_json() if judged else {"version": None, "source": SERVER, "window": None, "checks": []}
        raw = {
            "format": _FORMAT,
            "project": project,
            "run": self.run,
            "at": now.isoformat(),
            "verdict": self.outcome.verdict,
            "reason": self.outcome.reason,
            **own,
            "other_versions": [other.to_json() for other in self.others],
            "batch": [batch.to_json() for batch in self.batches],
        }
        return json.loads(json.dumps(raw, allow_nan=False))  # type: ignore[no-any-return]
