"""Rows that clients send and eval rows may lack: a missing value, a text that no training row has, a number far beyond those of training.

A variant passes every bound on the eval rows and may still answer such a row otherwise: in float16, a number above 65,504 is infinite, and the
answer then is no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from components._core.errors import NaruError
from components._core.types.signature import Feature
from components._core.types.tasks.contract import Task
from components._frameworks.contract import Arrays, Model

_ROWS = 5
"""Rows in which each feature is changed."""
_UNSEEN = "§ a text of no training row"
_FAR = 1_000.0
"""Factor of the greatest number of a feature: a client that sends grams for kilograms."""


@dataclass(frozen=True)
class Unusual:
    """Rows of one kind, of which each has one feature changed.

    Attributes:
        what: The kind, as in `a missing value`.
        rows: The rows as `predict` takes them.
        changed: The feature that is changed in each of them, [rows].
        is_far: Whether a model need not answer it well: a variant has to give a number, and not the same one.
    """

    what: str
    rows: Arrays
    changed: tuple[str, ...]
    is_far: bool = False


def make_unusual(features: tuple[Feature, ...], rows: Arrays) -> Iterator[Unusual]:
    """Make unusual rows of usual ones; kinds that no feature has are left out.

    Args:
        features: Inputs of the model.
        rows: Usual rows as `predict` takes them, at least one.
    """
    few = {name: values[:_ROWS] for name, values in rows.items()}
    numbers = [each.name for each in features if not each.type.is_text]
    most = {name: min(float(np.nanmax(np.abs(rows[name]), initial=1.0)) * _FAR, 1e15) for name in numbers}
    missing = {each.name: each.type.missing for each in features if each.nullable and each.type.missing is not None}
    unseen = {each.name: _UNSEEN for each in features if each.type.is_text}
    for what, values, is_far in (
        ("a missing value", missing, False),
        ("a text that no training row has", unseen, False),
        (f"a number {_FAR:,.0f} times as large as any training row's", most, True),
        (f"a number {_FAR:,.0f} times as far below 0", {name: -value for name, value in most.items()}, True),
    ):
        if values:
            yield Unusual(what, *_change(few, values), is_far)


def describe_difference(
    original: Model, variant: Model, task: Task, rows: Arrays, allowed: float, spread: float
) -> str:
    """Describe the first unusual row that a variant answers otherwise than its model; empty: there is none.

    Args:
        original: The model. What it cannot answer itself is not compared.
        variant: The variant.
        task: Their task.
        rows: Usual rows as `predict` takes them.
        allowed: Largest difference of a score, in units of `spread`.
        spread: Unit of a difference.

    Raises:
        ModelError: When the variant fails on the rows.
    """
    for unusual in make_unusual(original.signature.inputs, rows):
        try:
            expected = original.predict(unusual.rows)[task.score].astype(np.float64)
        except NaruError:
            continue
        found = variant.predict(unusual.rows)[task.score].astype(np.float64)
        count = len(unusual.changed)
        is_number, theirs = (np.isfinite(each).reshape(count, -1).all(axis=1) for each in (expected, found))
        if (broken := np.flatnonzero(is_number & ~theirs)).size:
            return (
                f"its score is not a number for {unusual.what} in {unusual.changed[broken[0]]!r}, where the model's is"
            )
        if unusual.is_far or not is_number.any():
            continue
        apart = np.where(is_number, np.abs(expected - found).reshape(count, -1).max(axis=1), 0.0) / spread
        worst = int(np.argmax(apart))
        if apart[worst] > allowed:
            return (
                f"a score differs by {apart[worst]:.3g} for {unusual.what} in {unusual.changed[worst]!r}; "
                f"at most {allowed:g} is allowed (max_difference)"
            )
    return ""


def _change(
    rows: Arrays, values: dict[str, float] | dict[str, str] | dict[str, float | str]
) -> tuple[Arrays, tuple[str, ...]]:
    """Repeat rows once for each feature with a value, and set it there."""
    count = len(next(iter(rows.values())))
    every = {name: np.tile(column, len(values)) for name, column in rows.items()}
    for place, (name, value) in enumerate(values.items()):
        every[name][place * count : (place + 1) * count] = value
    return every, tuple(name for name in values for _ in range(count))
