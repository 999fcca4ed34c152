"""The section of the project file about what starts training runs: schedules of a KFP server, and triggers that a watcher decides about.

A trigger has one kind. Limits apply to all of them but `demand`, which a person started; a breaker stops a loop of runs
that promote nothing. `components/watch/decide.py` says how a decision is made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, field_validator, model_validator

from components._core.project.approval_config import OptionalApproval
from components._core.project.config_types import Hyperparameter, Real, Section
from components._core.project.cron import check_cron, check_timezone
from components._core.project.durations import check_text, to_timedelta
from components._core.project.retrain_config import Retrain
from components._core.suggestions import suggest

Kind = Literal["demand", "schedule", "new_data", "performance", "distribution"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
_NAME_RULE = "Lower-case letters, digits and dashes, 40 at most; unique within the project."
_LONGEST = timedelta(days=366)
_WINDOWS = re.compile(r"([1-9]\d?) of ([1-9]\d?)")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_PARAMETERS: dict[str, tuple[type, int, str]] = {
    "spans": (str, 0, "a text as in data.spans, such as `last 12`"),
    "source": (str, 0, "a text as in data.source"),
    "trials": (int, 0, "a whole number from 0"),
    "epochs": (int, 1, "a whole number from 1"),
}
"""Type, smallest value and description of the pipeline parameters that a trigger may set."""


def _check_limit(text: str) -> str:
    if to_timedelta(text) > _LONGEST:
        raise ValueError(f"found {text[:80]!r}; a year at most")
    return text


Duration = Annotated[str, BeforeValidator(check_text), AfterValidator(_check_limit)]


class WindowRule(NamedTuple):
    """How many of the newest windows must alarm."""

    alarms: int
    of: int


def parse_windows(text: str) -> WindowRule:
    """Parse a rule such as `2 of 3`.

    Raises:
        ValueError: When it is not one.
    """
    match = _WINDOWS.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError(f"found {text[:80]!r}; allowed: N of M with 1 <= N <= M <= 99, as in 2 of 3")
    return WindowRule(int(match[1]), int(match[2]))


def _check_windows(value: str) -> str:
    parse_windows(value)
    return value


Windows = Annotated[
    str,
    AfterValidator(_check_windows),
    Field(
        description="How many of the monitor's newest windows must alarm, as in `2 of 3`; windows in which the check could not be judged do not count."
    ),
]


class QuietTime(NamedTuple):
    """A time of each day, in minutes since midnight (`end` before `start`: past midnight), or a whole weekday (0: Monday)."""

    start: int = 0
    end: int = 0
    weekday: int | None = None


def parse_quiet(text: str) -> QuietTime:
    """Parse a time without runs: `22:00-06:00`, or a weekday as in `Sat`.

    Raises:
        ValueError: When it is neither.
    """
    if text in WEEKDAYS:
        return QuietTime(weekday=WEEKDAYS.index(text))
    match = _CLOCK.fullmatch(text)
    if match is None or match[1] + match[2] == match[3] + match[4]:
        raise ValueError(
            f"found {text[:80]!r}; allowed: hours as in 22:00-06:00, with different ends, or a weekday: {', '.join(WEEKDAYS)}"
        )
    return QuietTime(int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4]))


def is_quiet(times: Sequence[QuietTime], weekday: int, minute: int) -> bool:
    """Return whether a minute of a weekday (0: Monday) is in one of the times."""
    return any(
        time.weekday == weekday
        if time.weekday is not None
        else time.start <= minute < time.end
        if time.start < time.end
        else minute >= time.start or minute < time.end
        for time in times
    )


class Schedule(Section):
    """A recurring run of the training pipeline on a cluster; `naru watch` starts its runs on a laptop."""

    name: Annotated[str, Field(pattern=_NAME, description=_NAME_RULE)]
    cron: Annotated[
        str,
        Field(
            description="Six fields, seconds first: `0 30 3 * * *` is half past three every day. Five are refused: "
            "Kubeflow Pipelines would read the first as seconds."
        ),
    ]
    timezone: Annotated[
        str,
        Field(
            description="Time zone of the cron, as in `Europe/Berlin`. A KFP server reads all schedules in one zone "
            "(NARU_KFP_TIMEZONE says which); `naru apply` refuses another."
        ),
    ] = "UTC"
    enabled: Annotated[StrictBool, Field(description="Whether the schedule starts runs.")] = True
    max_concurrency: Annotated[
        StrictInt, Field(ge=1, le=10, description="Maximum number of its runs at the same time; further ones wait.")
    ] = 1
    parameters: Annotated[
        dict[str, Hyperparameter],
        Field(description="Pipeline parameters, as in `spans: last 12`; others keep their default."),
    ] = {}

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, value: str) -> str:
        return check_cron(value)

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        return check_timezone(value)


class Budget(Section):
    """What triggered runs may use."""

    run_hours_per_week: Annotated[
        Real,
        Field(
            gt=0,
            description="Hours that runs started by triggers may take within seven days, from the start to the end of each; once they are used, causes wait.",
        ),
    ]


class Limits(Section):
    """Limits of all triggers but `demand`. A cause that meets one is held, not dropped: it starts a run once it may, if it still holds then."""

    cooldown: Annotated[
        Duration, Field(description="Shortest time between the starts of two triggered runs, as in `6h`.")
    ] = "6h"
    per_day: Annotated[StrictInt, Field(ge=1, description="Most triggered runs in a day of the time zone.")] = 4
    quiet: Annotated[
        list[str],
        Field(description="Times in which no run starts: hours as in `22:00-06:00`, weekdays as in `Sat`."),
    ] = []
    timezone: Annotated[
        str, Field(description="Time zone of quiet times, days and schedules, as in `Europe/Berlin`.")
    ] = "UTC"
    concurrent: Annotated[StrictInt, Field(ge=1, le=10, description="Most triggered runs at the same time.")] = 1
    budget: Annotated[Budget | None, Field(description="What triggered runs may use; absent: not limited.")] = None

    @field_validator("quiet")
    @classmethod
    def _check_quiet(cls, value: list[str]) -> list[str]:
        times = [parse_quiet(text) for text in value]
        if times and all(is_quiet(times, weekday, minute) for weekday in range(7) for minute in range(1_440)):
            raise ValueError("the whole week is quiet: no run would ever start")
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        return check_timezone(value)


class Breaker(Section):
    """Stops a loop: after so many triggered runs in a row that promoted nothing, none starts until `naru triggers reset`."""

    runs: Annotated[StrictInt, Field(ge=1, le=100, description="Number of triggered runs in a row.")] = 3
    without: Annotated[Literal["promotion"], Field(description="What none of them brought.")] = "promotion"


class Demand(Section):
    """A person or a program asks for a run: `naru triggers fire NAME`. Limits do not apply."""

    who: Annotated[
        list[str], Field(description="Users of the system that may ask; empty: everyone who may write to the store.")
    ] = []


class NewData(Section):
    """The source has spans that neither the champion nor an earlier triggered run was trained on, or changed ones."""

    spans: Annotated[StrictInt, Field(ge=1, description="Fewest new or changed spans.")] = 1
    rows: Annotated[
        StrictInt, Field(ge=0, description="Fewest rows in them, counted by reading their files; 0: not counted.")
    ] = 0
    settle: Annotated[
        Duration, Field(description="How long the source must stay unchanged first: files may still be written.")
    ] = "15m"


Again = Annotated[
    Duration | None,
    Field(
        description="How long after a run that promoted nothing an alarm that is still on may start another one, as in `28d`: there are newer rows to train "
        "on by then. Absent: never."
    ),
]


class Performance(Section):
    """The champion became worse on labelled requests, as the monitor measured it."""

    metric: Annotated[str, Field(description="Metric of the task; empty: the one of gates.model.metric.")] = ""
    drop: Annotated[
        Real | None,
        Field(
            gt=0,
            description="Loss from which a window alarms, in the metric's unit, whatever its direction; absent: when the monitor's own check fails.",
        ),
    ] = None
    windows: Windows = "1 of 1"
    again: Again = None


class Distribution(Section):
    """Features are distributed differently than in training, or than before, as the monitor measured it."""

    features: Annotated[
        Literal["all", "important"] | list[str],
        Field(
            description="Features whose alarms count: `all`, a list, or `important`: those with at least a tenth of the greatest importance."
        ),
    ] = "important"
    severity: Annotated[
        Literal["fail", "warn"], Field(description="Lowest status of a check that counts as an alarm.")
    ] = "fail"
    windows: Windows = "2 of 3"
    again: Again = None

    @field_validator("features", mode="before")
    @classmethod
    def _check_features(cls, value: Any) -> Any:
        named = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
        if not named and value not in ("all", "important"):
            raise ValueError(f"found {repr(value)[:80]}; allowed: all, important, or a list of features")
        return value


class Trigger(Section):
    """One trigger: a name, one kind, and what its runs do differently."""

    later: ClassVar[frozenset[str]] = frozenset({"approve"})

    name: Annotated[str, Field(pattern=_NAME, description=_NAME_RULE)]
    demand: Annotated[Demand | None, Field(description="A person or a program asks for a run.")] = None
    schedule: Annotated[
        str | None,
        Field(
            description="Six fields, seconds first, in `triggers.limits.timezone`; of times that were missed only the last is made up for."
        ),
    ] = None
    new_data: Annotated[NewData | None, Field(description="The source has new or changed spans.")] = None
    performance: Annotated[Performance | None, Field(description="The champion became worse.")] = None
    distribution: Annotated[Distribution | None, Field(description="Features are distributed differently.")] = None
    enabled: Annotated[StrictBool, Field(description="Whether the trigger starts runs.")] = True
    cooldown: Annotated[
        Duration | None, Field(description="Its own cooldown, instead of the one in triggers.limits.")
    ] = None
    quiet: Annotated[
        Literal["respect", "ignore"], Field(description="Whether it starts runs in quiet times: `ignore` does.")
    ] = "respect"
    parameters: Annotated[
        dict[str, Hyperparameter],
        Field(description="Pipeline parameters of its runs: spans, source, trials, epochs; others keep their default."),
    ] = {}
    approve: OptionalApproval = None

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, value: str | None) -> str | None:
        return None if value is None else check_cron(value)

    @field_validator("parameters")
    @classmethod
    def _check_parameters(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, given in value.items():
            if name not in _PARAMETERS:
                raise ValueError(f"unknown parameter {name!r}; {suggest(name, [*_PARAMETERS])}")
            kind, smallest, allowed = _PARAMETERS[name]
            if type(given) is not kind or (isinstance(given, int) and given < smallest):
                raise ValueError(f"{name}: found {given!r}; allowed: {allowed}")
        return value

    @model_validator(mode="after")
    def _has_one_kind(self) -> Trigger:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = f"found {' and '.join(kinds)}" if kinds else "found none"
            raise ValueError(f"trigger {self.name!r} needs exactly one kind; {found}; allowed: {', '.join(KINDS)}")
        return self

    @property
    def kind(self) -> Kind:
        """The kind of the trigger."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


class Triggers(Section):
    """What starts runs: `schedules` on a KFP server, `on` in what `naru watch` watches."""

    schedules: Annotated[
        list[Schedule],
        Field(
            description="Schedules that `naru apply` creates on the KFP server; `naru watch` reads them as triggers of the kind schedule."
        ),
    ] = []
    limits: Limits = Limits()
    breaker: Breaker = Breaker()
    retrain: Retrain = Retrain()
    watch: Annotated[
        str,
        Field(
            description="When a cluster looks at the triggers in `on`: six fields, seconds first, in the time zone of the KFP server; empty: "
            "only `naru watch` looks."
        ),
    ] = "0 30 * * * *"
    on: Annotated[list[Trigger], Field(description="Triggers; `naru watch` decides about them.")] = []

    @field_validator("watch")
    @classmethod
    def _check_watch(cls, value: str) -> str:
        return check_cron(value) if value else value

    @model_validator(mode="after")
    def _names_are_unique(self) -> Triggers:
        names = [schedule.name for schedule in self.schedules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"duplicate schedule {twice[0]!r}: give each a unique name")
        names += [trigger.name for trigger in self.on]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"duplicate trigger {twice[0]!r}: give each a unique name")
        return self

    def parameters_of(self, rule: Trigger | Schedule) -> dict[str, Hyperparameter]:
        """Return the pipeline parameters of the runs of a trigger or schedule: its own, else those of `retrain`."""
        return {**self.retrain.parameters, **rule.parameters}
