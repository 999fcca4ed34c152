"""Choose the task from the label's values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from components._core.errors import ConfigError, DataError
from components._core.types.several_labels import SEVERAL_LABELS, find_list
from components._core.types.tasks import TASKS
from components._core.types.tasks.contract import LabelProfile, Task
from components._core.types.tasks.multiclass_classification import MOST_TEXTS
from components._core.types.texts import shorten
from pipelines.scaffold.table_profile import Column

FEWEST_ROWS = 30
"""Rows below which a table cannot be split into train, eval and test with something in each."""
RARE = 0.1
"""Share of positive rows below which a model may give none of them a probability of 0.5."""


@dataclass(frozen=True)
class Target:
    """The task of a project, with its classes.

    Attributes:
        task: The task.
        reason: Reason for this task, in a few words.
        classes: Rows by class, largest first; empty for a task without classes.
        positive: The value that counts as positive, as project.yaml has it; None for a task without one.
        positive_reason: Reason for this positive value.
    """

    task: Task
    reason: str
    classes: dict[str, int]
    positive: str | int | None = None
    positive_reason: str = ""

    @property
    def rare_share(self) -> float | None:
        """Share of the positive rows where they are rare; None: they are not, or the task has none."""
        if (positive := str(self.positive)) not in self.classes:
            return None
        share = self.classes[positive] / sum(self.classes.values())
        return share if share < RARE else None


def decide_target(label: Column, task_name: str = "", positive: str = "") -> Target:
    """Choose the task by the label's values, or as the user says.

    Args:
        label: The label's profile.
        task_name: The task, if the user names it.
        positive: The positive value, if the user names it.

    Raises:
        DataError: When there are too few rows, or all labels are equal.
        ConfigError: When the label is a text that differs in nearly every row, a list, or does not fit the user's choice.
    """
    _check_rows(label)
    if nested := find_list(label.counts or label.values):
        message = f"the label {label.name!r} has a list in each row, such as {shorten(nested)!r}"
        raise ConfigError(message, where=label.name, remedy=SEVERAL_LABELS)
    profile = LabelProfile(label.rows, label.distinct, label.distinct_share, label.type.is_text, label.counts)
    if task_name:
        target = _named_target(TASKS[task_name], label, profile)
        return _with_positive(target, label, positive) if positive else target
    target = _find_target(label, profile)
    return _with_positive(target, label, positive) if positive else target


def _named_target(task: Task, label: Column, profile: LabelProfile) -> Target:
    if not task.has_classes and label.type.is_text:
        raise ConfigError(
            f"--task {task.name}: the label {label.name!r} is text, such as {label.values[0]!r}",
            where="naru new",
            remedy="name another task, or another label",
        )
    if task.takes_positive and label.distinct != 2:
        raise ConfigError(
            f"--task {task.name}: the label {label.name!r} has {label.distinct} different values, and needs two",
            where="naru new",
            remedy="name another task, or correct the label's values",
        )
    return _target(task, "as --task says", label, profile)


def _with_positive(target: Target, label: Column, positive: str) -> Target:
    if not target.task.takes_positive or positive not in target.classes:
        names = ", ".join(map(repr, list(target.classes)[:5]))
        raise ConfigError(
            f"--positive {positive!r} is not a class of {label.name!r} in {target.task.name}",
            where="naru new",
            remedy=f"allowed: {names}" if target.task.takes_positive else "only a binary classification has one",
        )
    is_whole = not label.type.is_text and positive.removeprefix("-").isdigit()
    return replace(target, positive=int(positive) if is_whole else positive, positive_reason="as --positive says")


def _find_target(label: Column, profile: LabelProfile) -> Target:
    for task in TASKS.values():
        if reason := task.recognise(profile):
            return _target(task, reason, label, profile)
    shown = ", ".join(repr(value) for value in label.values[:3])
    message = f"the label {label.name!r} is text with {label.distinct:,} different values ({shown}, ...)"
    raise ConfigError(
        f"{message}: too many to be classes, and not a number",
        where=label.name,
        remedy=f"name another label, or group it into {MOST_TEXTS} at most",
    )


def _target(task: Task, reason: str, label: Column, profile: LabelProfile) -> Target:
    classes = label.counts if task.has_classes else {}
    if not (suggested := task.suggest_positive(profile)):
        return Target(task, reason, classes)
    positive, why = suggested
    is_whole = not label.type.is_text and positive.removeprefix("-").isdigit()
    return Target(task, reason, classes, int(positive) if is_whole else positive, why)


def _check_rows(label: Column) -> None:
    if not label.rows:
        raise DataError(
            f"no row has a label: {label.name!r} is empty", where=label.name, remedy="name another label, or fill it"
        )
    if label.distinct < 2:
        value = next(iter(label.counts), "")
        message = f"the label {label.name!r} is {value!r} in every row: there is nothing to learn"
        raise DataError(message, where=label.name, remedy="name another label, or add rows with other values")
    if label.rows < FEWEST_ROWS:
        message = f"{label.rows} rows with a label are too few to train, stop early and evaluate; at least {FEWEST_ROWS} are needed"
        raise DataError(message, where=label.name, remedy="add rows")
