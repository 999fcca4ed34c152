"""What a decision is based on, all in memory: the project's triggers, the records, the source's spans, the monitor's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cached_property

from components._core.project.trigger_config import Trigger, Triggers
from components._core.types.tasks import TASKS
from components._core.types.tasks.metric import Metric
from components.watch.records import History

INVARIANT = "invariant"
"""Kind of the checks that say that the data broke: missing share, type, range, unseen values."""
UNSEEN = "unseen: "
"""Begin of the names of those about values never seen in training."""
SHIFTS = ("skew", "drift")
ALARMS = ("warn", "fail")


@dataclass(frozen=True)
class Span:
    """A span of the source.

    Attributes:
        label: The span as people write it.
        state: State of its files' content, which changes when the content does; empty: not known.
    """

    label: str
    state: str = ""


@dataclass(frozen=True)
class SpanSet:
    """The spans that a run of a trigger would read.

    Attributes:
        fingerprint: Fingerprint of the source's state, as a run has it (`source_fingerprint`).
        spans: The spans, oldest first.
        error: Why the source could not be read; the others are then empty.
    """

    fingerprint: str = ""
    spans: tuple[Span, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class MonitorCheck:
    """A check of the monitor.

    Attributes:
        name: Its name, stable from run to run.
        kind: Kind of the check: `skew`, `drift`, `invariant`, `performance` and others.
        status: `pass`, `warn`, `fail`, `no_baseline` or `skipped`.
        feature: The feature that it is about; empty: none.
        importance: Share of the model's importance that the feature has; None: not known.
        measured: The value found.
        baseline: The value that it was compared with.
        threshold: The bound.
        reason: Its reason in a sentence.
        learnable: Whether it is about values never seen in training, of which there are enough labelled rows that pass validate.
    """

    name: str
    kind: str
    status: str
    feature: str = ""
    importance: float | None = None
    measured: float | None = None
    baseline: float | None = None
    threshold: float | None = None
    reason: str = ""
    learnable: bool = False


@dataclass(frozen=True)
class Window:
    """The monitor's result for one version and one window of time.

    Attributes:
        version: The version.
        since: First moment of the window.
        until: End of the window, exclusive.
        checks: Its checks.
        uri: Address of the result.
        sha256: SHA-256 of the result.
        is_labelled: Whether it has only checks on answers with labels, which come later: the run judged a later window too.
    """

    version: str
    since: datetime
    until: datetime
    checks: tuple[MonitorCheck, ...]
    uri: str = ""
    sha256: str = ""
    is_labelled: bool = False

    @cached_property
    def shifts(self) -> dict[str, list[MonitorCheck]]:
        """The checks by feature that compare its distribution with training, or with the window before; and new values that can be learned."""
        found: dict[str, list[MonitorCheck]] = {}
        for check in self.checks:
            if check.feature and (check.kind in SHIFTS or (check.learnable and check.status in ALARMS)):
                found.setdefault(check.feature, []).append(check)
        return found

    @cached_property
    def violations(self) -> list[MonitorCheck]:
        """The invariants that alarm."""
        return [check for check in self.checks if check.kind == INVARIANT and check.status in ALARMS]

    @cached_property
    def broken(self) -> list[MonitorCheck]:
        """The invariants that alarm and keep a run from starting: all but values that a new model can learn."""
        return [check for check in self.violations if not check.learnable]

    @cached_property
    def greatest_importance(self) -> float:
        """The greatest importance of a feature; 0 where none is known."""
        return max((check.importance or 0.0 for check in self.checks), default=0.0)


@dataclass(frozen=True)
class State:
    """Everything that a decision looks at.

    Attributes:
        project: The project's name.
        task: The project's task.
        triggers: The section of project.yaml.
        history: The records of triggers.
        metric: Name of the metric by which models are compared; empty: the task's own.
        champion: Version of the champion; empty: there is none.
        champion_spans: Labels of the spans that it was trained on; None: not known.
        sources: The spans by the name of a trigger of the kind `new_data`.
        rows: Rows in the new spans by the name of the trigger, where they were counted.
        windows: The monitor's results, in any order.
        zones: Time zones by name: those of `zone_names`.
        policy: Fingerprint of the section.
        promoting_runs: Names of the runs whose version the deployment ledger has: one that waited for an approval too.
    """

    project: str
    task: str
    triggers: Triggers
    history: History
    metric: str = ""
    champion: str = ""
    champion_spans: frozenset[str] | None = frozenset()
    sources: Mapping[str, SpanSet] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    windows: Sequence[Window] = ()
    zones: Mapping[str, tzinfo] = field(default_factory=dict)
    policy: str = ""
    promoting_runs: frozenset[str] = frozenset()

    @cached_property
    def rules(self) -> list[tuple[Trigger, str]]:
        """The triggers with the time zone of their schedule; those of `triggers.schedules` come first."""
        timed = [
            (
                Trigger.model_construct(
                    name=one.name, schedule=one.cron, enabled=one.enabled, parameters=one.parameters, approve=None
                ),
                one.timezone,
            )
            for one in self.triggers.schedules
        ]
        return [*timed, *((trigger, self.triggers.limits.timezone) for trigger in self.triggers.on)]

    def zone(self, name: str) -> tzinfo:
        """Return a time zone by its name."""
        return self.zones.get(name, UTC)

    def metric_of(self, name: str) -> Metric:
        """Return a metric of the task by its name; empty: the one by which models are compared."""
        return TASKS[self.task].metric(name or self.metric)


def zone_names(triggers: Triggers) -> set[str]:
    """Return the names of the time zones that a section uses."""
    return {triggers.limits.timezone, *(schedule.timezone for schedule in triggers.schedules)}
