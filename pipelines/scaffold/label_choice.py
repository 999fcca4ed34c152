"""What is to be predicted: the task, from the label's values."""

from __future__ import annotations

from dataclasses import dataclass

from components._core.errors import ConfigError, DataError
from components._core.types.metric_names import Task
from pipelines.scaffold.table_profile import Column

FEWEST_ROWS = 30
"""Rows below which a table cannot be split into train, eval and test with something in each."""
_MOST_CLASSES = 100
_MOST_NUMBER_CLASSES = 20
_YES = ("1", "yes", "y", "true", "t", "positive", "pos", "si", "sí", "oui", "ja", "예")
_NO = ("0", "no", "n", "false", "f", "negative", "neg", "non", "nein", "아니오")


@dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Attributes:
        task: The task.
        reason: Why this task, in a few words.
        classes: Rows by class, largest first; empty for regression.
        positive: Binary: the value that counts as positive, as project.yaml has it.
        positive_reason: Why this one.
    """

    task: Task
    reason: str
    classes: dict[str, int]
    positive: str | int | None = None
    positive_reason: str = ""


def decide_target(label: Column) -> Target:
    """Choose the task by the label's values.

    Raises:
        DataError: When there are too few rows, or all labels are equal.
        ConfigError: When the label is a text that differs in nearly every row.
    """
    _check_rows(label)
    if label.distinct == 2:
        return _binary(label, label.counts)
    if label.type.is_text:
        return _text_classes(label)
    if label.distinct <= _MOST_NUMBER_CLASSES and label.distinct_share <= 0.1 and _are_whole(label):
        told = f"{label.distinct} different whole numbers; if their distances matter, make it a regression"
        return Target("multiclass_classification", told, label.counts)
    return Target("regression", f"a number with {label.distinct:,} different values", {})


def _check_rows(label: Column) -> None:
    if not label.rows:
        raise DataError(
            f"no row has a label: {label.name!r} is empty", where=label.name, remedy="name another label, or fill it"
        )
    if label.distinct < 2:
        value = next(iter(label.counts), "")
        told = f"the label {label.name!r} is {value!r} in every row: there is nothing to learn"
        raise DataError(told, where=label.name, remedy="name another label, or add rows with other values")
    if label.rows < FEWEST_ROWS:
        told = f"{label.rows} rows with a label are too few to train, stop and judge by; {FEWEST_ROWS} is the least"
        raise DataError(told, where=label.name, remedy="add rows")


def _are_whole(label: Column) -> bool:
    return all(_is_whole(value) for value in label.counts)


def _is_whole(value: str) -> bool:
    return value.removeprefix("-").isdigit()


def _binary(label: Column, classes: dict[str, int]) -> Target:
    rarer, other = sorted(classes, key=lambda value: (classes[value], value))
    yes = next(
        (value for value, no in ((rarer, other), (other, rarer)) if _plain(value) in _YES and _plain(no) in _NO), None
    )
    positive = yes or rarer
    reason = f"{'it says yes' if yes else 'the rarer one'}; in {classes[positive] / label.rows:.1%} of the rows"
    written = int(positive) if not label.type.is_text and _is_whole(positive) else positive
    return Target("binary_classification", "two values", classes, written, reason)


def _plain(value: str) -> str:
    return value.strip().lower()


def _text_classes(label: Column) -> Target:
    if label.distinct <= _MOST_CLASSES and label.distinct_share <= 0.5:
        return Target("multiclass_classification", f"{label.distinct} different values", label.counts)
    shown = ", ".join(repr(value) for value in label.values[:3])
    told = f"the label {label.name!r} is text with {label.distinct:,} different values ({shown}, ...)"
    raise ConfigError(
        f"{told}: too many to be classes, and no number",
        where=label.name,
        remedy=f"name another label, or group it into {_MOST_CLASSES} at most",
    )
