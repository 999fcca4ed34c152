"""The project file: what a team says about its data, its model and its gates; validated before anything runs.

Every field has its unit, its default and the reason for it in its description; the JSON Schema that editors use is made
from here (`naru schema`), so the two cannot differ.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from components._core.errors import ConfigError
from components._core.project.config_types import Hyperparameter, Real, Section
from components._core.project.cron import check_cron, check_timezone
from components._core.project.serving_config import Serve, ServingGates
from components._core.project.validation_messages import tell_problems
from components._core.project.value_rules import check_values
from components._core.project.yaml_text import parse_yaml
from components._core.types.hyperparameter_names import find_unusable
from components._core.types.tasks import TASKS
from components._core.types.tasks.metric import Metric

PROJECT_FILE = "project.yaml"
LARGEST_FILE = 1 << 20
"""Bytes of a project file."""

Severity = Literal["fail", "warn", "ignore"]


def _either(names: list[str]) -> str:
    """Names as in "a, b or c"."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _check_task(value: Any) -> Any:
    """Refuse a task that is not in the table, in pydantic's words for a value that is not in a list."""
    if not isinstance(value, str) or value not in TASKS:
        raise PydanticCustomError(
            "literal_error", "Input should be {expected}", {"expected": _either([*map(repr, TASKS)])}
        )
    return value


def _list_tasks(schema: dict[str, Any]) -> None:
    """Name the tasks in the JSON Schema."""
    schema["enum"] = [*TASKS]


class Split(Section):
    """How rows are assigned to train, eval (early stopping, tuning) and test (judging)."""

    train: Annotated[Real, Field(gt=0, lt=1, description="Share of the rows to train on.")] = 0.8
    eval: Annotated[Real, Field(gt=0, lt=1, description="Share to stop early and tune by.")] = 0.1
    test: Annotated[Real, Field(gt=0, lt=1, description="Share to judge by; never seen in training.")] = 0.1
    by: Annotated[
        list[str],
        Field(description="Columns whose values are hashed: rows equal in them land together. Default: the features."),
    ] = []
    by_time: Annotated[
        str,
        Field(
            description="Column with the time of a row, instead of `by`: the newest rows are test, those before them eval, "
            "the oldest train, by their shares. A number, or ISO text such as `2013-05-01` or `2013-05-01T10:00`."
        ),
    ] = ""

    @model_validator(mode="after")
    def _rows_are_split_in_one_way(self) -> Split:
        if self.by and self.by_time:
            raise ValueError("give by or by_time, not both")
        return self

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Split:
        total = self.train + self.eval + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + eval + test must be 1, and are {total:g}")
        return self


class Csv(Section):
    """How a CSV file writes what could be taken for its own marks."""

    quote: Annotated[
        str,
        Field(
            max_length=1,
            description='The character that encloses a cell with commas or line breaks; empty: `"` is an ordinary character '
            "and no cell is enclosed.",
        ),
    ] = '"'
    escape: Annotated[
        str,
        Field(
            max_length=1,
            description="The character that makes the next one ordinary, as `\\` does in files of Spark and MySQL; empty: none, "
            "and a quote inside of a cell is doubled.",
        ),
    ] = ""

    @property
    def delimiter(self) -> str:
        """What separates cells."""
        return ","

    @field_validator("quote", "escape")
    @classmethod
    def _is_no_other_mark(cls, value: str) -> str:
        if value and (not value.isascii() or value.isalnum() or value in ",\r\n\0 "):
            raise ValueError(
                f"found {value!r}; allowed: an ASCII character that is no letter, digit, blank, comma or line end"
            )
        return value

    @model_validator(mode="after")
    def _marks_differ(self) -> Csv:
        if self.quote and self.quote == self.escape:
            raise ValueError(
                f"quote and escape are both {self.quote!r}; a doubled quote inside of a cell needs no escape"
            )
        return self


class Data(Section):
    """Where the examples come from."""

    source: Annotated[
        str,
        Field(
            min_length=1,
            description="Path or URL of the table, relative to the project file. `{span}` stands for a span's number, "
            "as in `data/flights-{span}.csv`.",
        ),
    ]
    format: Annotated[
        str,
        Field(
            description="Format of the source's files; empty: by the ending of their name, and CSV where that says nothing."
        ),
    ] = ""
    csv: Csv = Csv()
    spans: Annotated[
        str,
        Field(description="Which spans: `all`, `7`, `1-11`, `1,2,5` or `last 3`. Only with `{span}` in the source."),
    ] = "all"
    split: Split = Split()
    exclude: Annotated[list[str], Field(description="Columns that the model must not see: identifiers, leaks.")] = []
    exclusion_reasons: Annotated[
        dict[str, str],
        Field(description="Why, by column: the report shows it beside the column's name. Changes nothing else."),
    ] = {}
    quarantine_limit: Annotated[
        float,
        Field(ge=0, lt=1, description="Share of rows that may be unreadable before the run stops; they are set aside."),
    ] = 0.0

    @model_validator(mode="after")
    def _reasons_are_of_excluded_columns(self) -> Data:
        if other := next((name for name in self.exclusion_reasons if name not in self.exclude), None):
            raise ValueError(f"exclusion_reasons names {other!r}, which exclude does not")
        return self

    @field_validator("spans", mode="before")
    @classmethod
    def _spans_may_be_a_number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Code(Section):
    """The two functions, by file, relative to the project file."""

    preprocessing: Annotated[str, Field(description="File with `preprocessing_fn(inputs)`.")] = "preprocessing.py"
    model: Annotated[str, Field(description="File with `build_model(inputs, transform, hyperparameters)`.")] = (
        "model.py"
    )


class Train(Section):
    """How the model is fitted."""

    epochs: Annotated[StrictInt, Field(ge=1, description="Passes over the training rows, at most.")] = 10
    steps: Annotated[StrictInt, Field(ge=0, description="Optimiser steps, at most; 0: as many as the epochs take.")] = 0
    batch_size: Annotated[StrictInt, Field(ge=1, description="Rows per step.")] = 256
    patience: Annotated[
        StrictInt, Field(ge=0, description="Epochs without a better eval loss before it stops; 0: never.")
    ] = 2
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32, description="Seed of everything random.")] = 7
    hyperparameters: Annotated[
        dict[str, Hyperparameter], Field(description="What build_model gets by default; `learning_rate` is also ours.")
    ] = {}


class Space(Section):
    """The values that one hyperparameter may take: a range or a list."""

    low: Real | None = None
    high: Real | None = None
    log: Annotated[bool, Field(description="Search the range on a logarithmic scale.")] = False
    integer: Annotated[bool, Field(description="Whole numbers only.")] = False
    choices: Annotated[list[Hyperparameter], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _range_or_choices(self) -> Space:
        has_range = self.low is not None and self.high is not None
        if has_range == (self.choices is not None):
            raise ValueError("give either low and high, or choices")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("a logarithmic range needs low > 0")
        return self


class Tune(Section):
    """The search for hyperparameters."""

    trials: Annotated[StrictInt, Field(ge=0, description="Models to try; 0 passes the defaults through.")] = 0
    epochs: Annotated[StrictInt, Field(ge=1, description="Epochs of each trial.")] = 2
    space: dict[str, Space] = {}

    @model_validator(mode="after")
    def _trials_need_a_space(self) -> Tune:
        if self.trials and not self.space:
            raise ValueError("trials need a space: name at least one hyperparameter under tune.space")
        return self


class DataGates(Section):
    """What validation blocks."""

    anomalies: Annotated[
        dict[str, Severity],
        Field(
            description="Severity by kind of anomaly (docs/stages/validate.md lists them); others keep their default."
        ),
    ] = {}
    drift: Annotated[
        Real, Field(gt=0, le=1, description="Distance between old and new data from which a feature has drifted.")
    ] = 0.1
    drift_severity: Severity = "warn"
    min_rows: Annotated[
        StrictInt, Field(ge=1, description="Rows below which drift is not judged: small samples alarm falsely.")
    ] = 100


class Bound(Section):
    """An absolute bound on a metric."""

    min: Real | None = None
    max: Real | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Bound:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


class ModelGates(Section):
    """What a model must show before it is registered and deployed."""

    thresholds: Annotated[dict[str, Bound], Field(description="Absolute bounds by metric name.")] = {}
    metric: Annotated[
        str,
        Field(
            description="The metric that compares with the champion; empty: "
            f"{_either([task.primary for task in TASKS.values()])} by task.",
        ),
    ] = ""
    first: Annotated[
        Literal["block", "deploy"],
        Field(
            description="A first model, with no champion to beat, that is hardly better than no model, never predicts a "
            "class, or has a feature that alone tells the label: `block` keeps it from being deployed, `deploy` only warns."
        ),
    ] = "block"
    min_gain: Annotated[
        Real, Field(description="By how much the champion must be beaten on the same rows; 0: any gain counts.")
    ] = 0.0
    slices: Annotated[list[str], Field(description="Columns whose values are judged one by one.")] = []
    slice_min_rows: Annotated[
        StrictInt, Field(ge=1, description="Rows below which a slice is shown but not judged.")
    ] = 100


class Gates(Section):
    """Every bound that decides something."""

    data: DataGates = DataGates()
    model: ModelGates = ModelGates()
    serving: ServingGates = ServingGates()


class Schedule(Section):
    """A run of the training pipeline at set times, on a cluster."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
            description="Lower-case letters, digits and dashes, 40 at most; its own within the project.",
        ),
    ]
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
            description="In which the cron is meant, as in `Europe/Berlin`. A KFP server reads all its schedules in one zone "
            "(NARU_KFP_TIMEZONE says which); `naru apply` refuses another."
        ),
    ] = "UTC"
    enabled: Annotated[StrictBool, Field(description="Whether it fires.")] = True
    max_concurrency: Annotated[
        StrictInt, Field(ge=1, le=10, description="Runs of it at the same time, at most; one more waits.")
    ] = 1
    parameters: Annotated[
        dict[str, Hyperparameter],
        Field(description="Of the pipeline, as in `spans: last 12`; others keep their default."),
    ] = {}

    @field_validator("cron")
    @classmethod
    def _cron_is_read_as_it_is_meant(cls, value: str) -> str:
        return check_cron(value)

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, value: str) -> str:
        return check_timezone(value)


class Triggers(Section):
    """What starts a run by itself. Schedules so far; other kinds get a list of their own beside them."""

    schedules: Annotated[list[Schedule], Field(description="`naru apply` brings them to the KFP server.")] = []

    @model_validator(mode="after")
    def _names_are_their_own(self) -> Triggers:
        names = [schedule.name for schedule in self.schedules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two schedules are named {twice[0]!r}: give each a name of its own")
        return self


class Project(Section):
    """What `project.yaml` says. See the module's docstring."""

    version: Annotated[Literal[1], Field(description="Version of this file's format.")] = 1
    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
            description="Lower-case letters, digits and dashes, 40 at most: names of pipelines and servers derive from it.",
        ),
    ]
    task: Annotated[
        str, BeforeValidator(_check_task), Field(description="What is predicted.", json_schema_extra=_list_tasks)
    ]
    label: Annotated[str, Field(min_length=1, description="The column to predict.")]
    positive: Annotated[
        str | int | None,
        Field(description="Binary only: the label value that counts as positive; default: the greater one."),
    ] = None
    data: Data
    schema_file: Annotated[
        str,
        Field(alias="schema", description="The reviewed schema, relative to the project file; used when it is there."),
    ] = "schema.pbtxt"
    code: Code = Code()
    train: Train = Train()
    tune: Tune = Tune()
    gates: Gates = Gates()
    serve: Serve = Serve()
    triggers: Triggers = Triggers()

    @field_validator("positive", mode="before")
    @classmethod
    def _positive_may_be_a_truth_value(cls, value: Any) -> Any:
        return str(value).lower() if isinstance(value, bool) else value  # as it stands in a table, not 1

    @model_validator(mode="after")
    def _label_is_no_exclusion(self) -> Project:
        if self.label in self.data.exclude:
            raise ValueError(f"data.exclude names the label {self.label!r}")
        return self

    @model_validator(mode="after")
    def _gates_name_metrics_of_the_task(self) -> Project:
        task, gates = TASKS[self.task], self.gates.model
        named = {
            "gates.model.metric": [gates.metric] if gates.metric else [],
            "gates.model.thresholds": [*gates.thresholds],
        }
        for place, names in named.items():
            if wrong := next(filter(None, map(task.find_unknown_metric, names)), ""):
                raise ValueError(f"{place}: {wrong}")
        return self

    @model_validator(mode="after")
    def _positive_is_of_a_task_that_takes_one(self) -> Project:
        if self.positive is not None and not TASKS[self.task].takes_positive:
            takers = " or ".join(task.name for task in TASKS.values() if task.takes_positive)
            raise ValueError(f"positive: a {self.task} project has no positive value; remove it, or set task: {takers}")
        return self

    @model_validator(mode="after")
    def _hyperparameters_have_names_of_their_own(self) -> Project:
        named = {"train.hyperparameters": [*self.train.hyperparameters], "tune.space": [*self.tune.space]}
        for place, names in named.items():
            if wrong := find_unusable(names):
                raise ValueError(f"{place}: {wrong}")
        if wrong := find_unusable({**self.train.hyperparameters, **self.tune.space}):
            raise ValueError(f"train.hyperparameters and tune.space: {wrong}")
        return self

    @property
    def positive_text(self) -> str | None:
        """The label value that counts as positive, as the text by which classes are known."""
        return None if self.positive is None else str(self.positive)

    def primary_metric(self) -> Metric:
        """The metric by which two models of the project are compared."""
        return TASKS[self.task].metric(self.gates.model.metric)

    def to_json(self) -> str:
        """The project as one compact JSON line, as pipelines carry it: without what starts them, which changes nothing in them."""
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude={"triggers"})


def load_project(path: Path, overrides: dict[str, Any] | None = None) -> Project:
    """Read and validate a project file.

    Args:
        path: The file, or the folder that holds a `project.yaml`.
        overrides: Values by dotted place, such as `{"train.epochs": 3}`, that go before the file's.

    Raises:
        ConfigError: With one line for each wrong place: what was found there, what is allowed.
    """
    file = path / PROJECT_FILE if os.path.isdir(path) else path  # noqa: PTH112 - Path.is_dir raises where it may not look
    raw = _read(file)
    for place, value in (overrides or {}).items():
        _set(raw, place, value, file)
    return parse_project(raw, str(file), set(overrides or ()))


def parse_project(raw: Any, where: str = PROJECT_FILE, given: Collection[str] = ()) -> Project:
    """Validate a project that was already read from YAML or JSON; errors as in `load_project`.

    Args:
        raw: What was read.
        where: From where, for messages.
        given: The places whose values are the command line's, for messages.
    """
    if isinstance(raw, dict):
        check_values(raw, where, given)
    try:
        return Project.model_validate(raw)
    except ValidationError as error:
        lines = tell_problems(error.errors(), Project, set(given))
        raise ConfigError(
            lines[0] if len(lines) == 1 else "\n  " + "\n  ".join(lines),
            where=where,
            remedy="correct the file; `naru schema` prints every field with its meaning",
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            "there is no such project file",
            where=str(file),
            remedy="name a folder with a project.yaml, or make one: naru new --help",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 (byte {error.start})", where=str(file), remedy="save it as UTF-8") from None
    except OSError as error:
        remedy = "it must be a file that you may read: write one, or correct its permissions"
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(file), remedy=remedy) from None
    if len(content) > LARGEST_FILE:
        message = "is larger than 1 MiB, which no project file needs to be"
        raise ConfigError(message, where=str(file), remedy="name the project file; large values belong elsewhere")
    raw = parse_yaml(text, str(file))
    if not isinstance(raw, dict):
        message = "holds no fields: a mapping with name, task, label and data is needed"
        raise ConfigError(
            message, where=str(file), remedy="start from examples/flights/project.yaml, or run naru new --help"
        )
    return raw


def _set(raw: dict[str, Any], place: str, value: Any, file: Path) -> None:
    *parents, last = place.split(".")
    section: Any = raw
    for parent in parents:
        section[parent] = section = {} if section.get(parent) is None else section[parent]
        if not isinstance(section, dict):
            message = f"{place} cannot be set: {parent} is no section"
            raise ConfigError(message, where=str(file), remedy="`naru schema` prints every field with its place")
    section[last] = value
