"""The project file: what a team says about its data, its model and its gates; validated before anything runs.

Every field has its unit, its default and the reason for it in its description; the JSON Schema that editors use is made
from here (`naru schema`), so the two cannot differ.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from components._core.errors import ConfigError
from components._core.project.code_config import Code
from components._core.project.config_types import Section
from components._core.project.data_config import Data
from components._core.project.feedback_config import Feedback
from components._core.project.gate_config import Gates
from components._core.project.keep_config import Keep
from components._core.project.label_config import Labelling
from components._core.project.live_test_config import check_live_test
from components._core.project.model_config import ImportedModel
from components._core.project.monitor_config import Monitor
from components._core.project.serving_config import Serve
from components._core.project.stage_config import FEEDBACK
from components._core.project.task_config import check_label, check_task, list_tasks
from components._core.project.train_config import Train
from components._core.project.transform_config import Transform
from components._core.project.trigger_config import Triggers
from components._core.project.tune_config import Tune, search_all_kinds
from components._core.project.validation_messages import format_errors
from components._core.project.value_rules import check_values
from components._core.project.yaml_text import parse_yaml
from components._core.suggestions import list_alternatives, suggest
from components._core.types.hyperparameter_names import find_unusable
from components._core.types.tasks import TASKS
from components._core.types.tasks.metric import Metric

PROJECT_FILE = "project.yaml"
LARGEST_FILE = 1 << 20
"""Bytes of a project file."""


class Project(Section):
    """What `project.yaml` says. See the module's docstring."""

    later: ClassVar[frozenset[str]] = frozenset({"feedback", "labels", "model", "monitor", "transform"})

    version: Annotated[Literal[1], Field(description="Version of this file's format.")] = 1
    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
            description="Lower-case letters, digits and dashes, 40 at most: names of pipelines and servers derive from it.",
        ),
    ]
    task: Annotated[
        str, BeforeValidator(check_task), Field(description="What is predicted.", json_schema_extra=list_tasks)
    ]
    label: Annotated[str, BeforeValidator(check_label), Field(min_length=1, description="The column to predict.")]
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
    model: Annotated[
        ImportedModel | None,
        Field(description="Absent: the model is trained here, or its file's inputs have the names of columns."),
    ] = None
    transform: Transform = Transform()
    train: Train = Train()
    tune: Tune = Tune()
    gates: Gates = Gates()
    serve: Serve = Serve()
    feedback: Annotated[
        Feedback | None, Field(description="Absent: no labels come later, or they are joined elsewhere.")
    ] = None
    labels: Annotated[Labelling | None, Field(description="Absent: people label nothing with `naru label`.")] = None
    monitor: Monitor = Monitor()
    triggers: Triggers = Triggers()
    keep: Keep = Keep()

    @model_validator(mode="before")
    @classmethod
    def _auto_searches_all_kinds(cls, raw: Any) -> Any:
        return search_all_kinds(raw)

    @field_validator("positive", mode="before")
    @classmethod
    def _positive_may_be_a_bool(cls, value: Any) -> Any:
        return str(value).lower() if isinstance(value, bool) else value  # as written in a table, not 1

    @model_validator(mode="after")
    def _label_is_not_excluded(self) -> Project:
        if self.label in self.data.exclude:
            raise ValueError(f"data.exclude names the label {self.label!r}")
        return self

    @model_validator(mode="after")
    def _rows_without_a_label_need_no_rule(self) -> Project:
        if any(rule.missing and rule.column == self.label for rule in self.data.rows.drop):
            raise ValueError(
                f"data.rows.drop: rows without the label {self.label!r} are set aside already; data.quarantine_limit says how many may be"
            )
        return self

    @model_validator(mode="after")
    def _transformed_columns_are_features(self) -> Project:
        pca = self.transform.pca
        reduced = [] if pca is None else pca.named_columns
        for place, names in (("transform.columns", self.transform.columns), ("transform.pca.columns", reduced)):
            for name in names:
                if name == self.label or name in self.data.exclude:
                    what = "the label" if name == self.label else "a column of data.exclude"
                    raise ValueError(f"{place} names {name!r}, {what}: the model does not take it")
        for name in reduced:
            reading = self.data.columns.get(name)
            if reading is not None and reading.type not in ("number", "time"):
                raise ValueError(
                    f"transform.pca.columns names {name!r}, whose type in data.columns is {reading.type}; only numbers are allowed"
                )
        return self

    @model_validator(mode="after")
    def _stratified_split_has_classes(self) -> Project:
        if self.data.split.kind == "stratified" and not TASKS[self.task].has_classes:
            raise ValueError(
                f"data.split.method: stratified goes by the classes of the label, and a {self.task} project has none; use hash"
            )
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
    def _task_has_a_positive_value(self) -> Project:
        if self.positive is not None and not TASKS[self.task].takes_positive:
            takers = " or ".join(task.name for task in TASKS.values() if task.takes_positive)
            raise ValueError(f"positive: a {self.task} project has no positive value; remove it, or set task: {takers}")
        return self

    @model_validator(mode="after")
    def _weighted_task_has_classes(self) -> Project:
        if self.train.class_weight is not None and not TASKS[self.task].has_classes:
            raise ValueError(f"train.class_weight: a {self.task} project has no classes; remove it")
        return self

    @model_validator(mode="after")
    def _task_has_a_threshold(self) -> Project:
        threshold, allowed = self.serve.threshold, TASKS[self.task].threshold_metrics
        if threshold is not None and not allowed:
            takers = list_alternatives([task.name for task in TASKS.values() if task.threshold_metrics])
            raise ValueError(
                f"serve.threshold: a {self.task} project has no threshold; remove it, or set task: {takers}"
            )
        if isinstance(threshold, str) and threshold not in allowed:
            meant = suggest(threshold, allowed)
            close = f"; {meant}" if meant.startswith("did") else ""
            raise ValueError(
                f"serve.threshold: found {threshold!r}{close}; allowed: a number between 0 and 1, or {', '.join(allowed)}"
            )
        return self

    @model_validator(mode="after")
    def _task_has_an_interval(self) -> Project:
        if self.serve.interval is not None and TASKS[self.task].has_classes:
            takers = list_alternatives([task.name for task in TASKS.values() if not task.has_classes])
            raise ValueError(
                f"serve.interval: a {self.task} project answers with probabilities; remove it, or set task: {takers}"
            )
        return self

    @model_validator(mode="after")
    def _hyperparameter_names_are_unique(self) -> Project:
        named = {"train.hyperparameters": [*self.train.hyperparameters], "tune.space": [*self.tune.space]}
        for place, names in named.items():
            if wrong := find_unusable(names):
                raise ValueError(f"{place}: {wrong}")
        if wrong := find_unusable({**self.train.hyperparameters, **self.tune.space}):
            raise ValueError(f"train.hyperparameters and tune.space: {wrong}")
        return self

    @model_validator(mode="after")
    def _triggers_name_metrics_and_features(self) -> Project:
        for trigger in self.triggers.on:
            metric = trigger.performance.metric if trigger.performance else ""
            if metric and (wrong := TASKS[self.task].find_unknown_metric(metric)):
                raise ValueError(f"triggers.on: {trigger.name}: performance.metric: {wrong}")
            features = trigger.distribution.features if trigger.distribution else []
            if not isinstance(features, str) and (left_out := {self.label, *self.data.exclude}.intersection(features)):
                message = f"{sorted(left_out)[0]!r} is not a feature: it is the label or a column of data.exclude"
                raise ValueError(f"triggers.on: {trigger.name}: distribution.features: {message}")
        return self

    @model_validator(mode="after")
    def _feedback_fits_the_project(self) -> Project:
        if self.feedback:
            self.feedback.check_project(self.label, has_log=self.serve.request_log is not None)
        return self

    @model_validator(mode="after")
    def _labels_fit_the_project(self) -> Project:
        if self.labels:
            self.labels.check_project(self.label, TASKS[self.task])
        return self

    @model_validator(mode="after")
    def _live_test_fits_the_project(self, info: ValidationInfo) -> Project:
        if FEEDBACK in (info.context or {}).get("absent", ()):
            return self  # the rule was held where the section was there
        serve, no_features = self.serve, {self.label, *self.data.exclude}
        masked = serve.request_log.mask if serve.request_log else None
        check_live_test(
            serve.rollout,
            serve.live_test,
            task=self.task,
            no_features=no_features,
            feedback=self.feedback,
            masked=masked,
        )
        return self

    @property
    def positive_text(self) -> str | None:
        """The label value that counts as positive, as the text by which classes are known."""
        return None if self.positive is None else str(self.positive)

    def primary_metric(self) -> Metric:
        """The metric by which two models of the project are compared."""
        return TASKS[self.task].metric(self.gates.model.metric)

    def to_json(self, *, whole: bool = False) -> str:
        """Return the project as one compact JSON line, as pipelines pass it on: without what no stage of theirs reads, unless `whole`."""
        left_out: Any = (
            {} if whole else {"triggers": True, "keep": True, "monitor": {"schedule"}, "feedback": {"schedule"}}
        )
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude=left_out)


def load_project(path: Path, overrides: dict[str, Any] | None = None) -> Project:
    """Read and validate a project file.

    Args:
        path: The file, or the folder that holds a `project.yaml`.
        overrides: Values by dotted path, such as `{"train.epochs": 3}`, that override the file's.

    Raises:
        ConfigError: With one line for each wrong field: what was found, what is allowed.
    """
    file = path / PROJECT_FILE if os.path.isdir(path) else path  # noqa: PTH112 - Path.is_dir raises where it may not look
    raw = _read(file)
    for place, value in (overrides or {}).items():
        _set(raw, place, value, file)
    return parse_project(raw, str(file), set(overrides or ()))


def parse_project(
    raw: Any, where: str = PROJECT_FILE, given: Collection[str] = (), absent: Collection[str] = ()
) -> Project:
    """Validate a project that was already read from YAML or JSON; errors as in `load_project`.

    Args:
        raw: The parsed YAML or JSON.
        where: Name of the source, for messages.
        given: The paths whose values come from the command line, for messages.
        absent: Sections that were taken out of a valid project; rules that need them are not held again.
    """
    if isinstance(raw, dict):
        check_values(raw, where, given)
    try:
        return Project.model_validate(raw, context={"absent": absent})
    except ValidationError as error:
        lines = format_errors(error.errors(), Project, set(given))
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
        remedy = "name a readable file, or correct its permissions"
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(file), remedy=remedy) from None
    if len(content) > LARGEST_FILE:
        message = "is larger than 1 MiB, the limit for a project file"
        raise ConfigError(message, where=str(file), remedy="name the project file; large values belong elsewhere")
    raw = parse_yaml(text, str(file))
    if not isinstance(raw, dict):
        message = "has no fields: a mapping with name, task, label and data is required"
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
            message = f"{place} cannot be set: {parent} is not a section"
            raise ConfigError(message, where=str(file), remedy="`naru schema` prints every field with its path")
    section[last] = value
