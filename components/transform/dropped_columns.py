"""The rules of `transform.drop`: which columns the training rows say nothing with, or nothing new.

The rules are applied one after the other: missing, variance, correlation. Of columns that correlate, the one with the fewest missing
values stays, and of equal ones the first in the table; it must be known in 90 % of the rows of the column that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ConfigError
from components._core.project.transform_config import Drop
from components._core.types.column_choices import ColumnChoices, DroppedColumn
from components._core.types.signature import Feature
from components.transform.number_statistics import (
    MOST_COLUMNS,
    Batches,
    Moments,
    Numbers,
    correlate,
    measure,
    read_training_rows,
)

KEY = "transform.drop"
_FEWEST_ROWS = 10
"""Rows in which both columns are known, from which a correlation is more than chance."""
_STANDS_FOR = 0.9
_ROUNDING = 1e-9


def find_dropped(rules: Drop, features: tuple[Feature, ...], examples: Path) -> tuple[DroppedColumn, ...]:
    """Find the columns to drop, in the order of the table.

    Args:
        rules: The rules.
        features: The columns.
        examples: The examples artifact, of which the training rows are read: once, and once more for correlations.

    Raises:
        ConfigError: When every column would be dropped, or there are too many to correlate.
    """
    numbers = tuple(feature for feature in features if not feature.type.is_text)
    judged = rules.missing is not None or rules.variance is not None
    texts = tuple(feature for feature in features if judged and feature.type.is_text)
    found: dict[str, DroppedColumn] = {}
    counted = _Texts(tuple(feature.name for feature in texts))
    names = tuple(feature.name for feature in numbers)
    moments = measure(lambda: counted.watch(read_training_rows(examples, (*numbers, *texts))), names)
    shares = {name: 1 - known / moments.rows for name, known in zip(names, moments.known.tolist(), strict=True)}
    shares |= {name: missing / moments.rows for name, missing in counted.missing.items()}
    if rules.missing is not None:
        for name, share in shares.items():
            if share >= rules.missing - _ROUNDING:
                found[name] = DroppedColumn(name, f"{KEY}.missing", f"{100 * share:.4g} % missing")
    if rules.variance is not None:
        for name, reason in _find_flat(rules.variance, moments, counted):
            found.setdefault(name, DroppedColumn(name, f"{KEY}.variance", reason))
    if rules.correlation is not None:
        left = tuple(feature for feature in numbers if feature.name not in found)
        some = moments.select(feature.name for feature in left)
        repeated = _find_repeated(rules.correlation, some, shares, lambda: read_training_rows(examples, left))
        found |= {column.name: column for column in repeated}
    dropped = tuple(found[feature.name] for feature in features if feature.name in found)
    if len(dropped) == len(features):
        remedy = "loosen the rules, or look at the source: the training rows say nothing"
        raise ConfigError(f"drops every column: {ColumnChoices(dropped).describe_dropped()}", where=KEY, remedy=remedy)
    return dropped


class _Texts:
    """Counts the missing values of columns of texts while their rows are read, and finds those with one text in every row."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.missing = dict.fromkeys(names, 0)
        self._first: dict[str, object] = {}
        self._differ: set[str] = set()

    def watch(self, batches: Iterator[Numbers]) -> Iterator[Numbers]:
        """Pass batches on."""
        for batch in batches:
            for name in self.missing:
                self._add(name, batch[name])
            yield batch

    def _add(self, name: str, values: NDArray[np.generic]) -> None:
        if not len(values):
            return
        self.missing[name] += int(np.count_nonzero(values == ""))
        first = self._first.setdefault(name, values[0])
        if name not in self._differ and np.any(values != first):
            self._differ.add(name)

    @property
    def constant(self) -> list[str]:
        """The columns with one text in every row."""
        return [name for name in self.missing if name not in self._differ]


def _find_flat(bound: float, moments: Moments, texts: _Texts) -> Iterator[tuple[str, str]]:
    for name, variance in zip(moments.names, moments.variance.tolist(), strict=True):
        if variance <= bound:
            yield name, f"variance {variance:.3g}"
    for name in texts.constant:
        yield name, "the same text in every row"


def _find_repeated(
    bound: float, moments: Moments, shares: dict[str, float], batches: Batches
) -> Iterator[DroppedColumn]:
    names = moments.names
    if len(names) > MOST_COLUMNS:
        message = f"cannot compare {len(names):,} columns of numbers; {MOST_COLUMNS} are allowed"
        remedy = "remove the rule, or leave columns out first: by missing, by variance, or in data.exclude"
        raise ConfigError(message, where=f"{KEY}.correlation", remedy=remedy)
    correlations, rows = correlate(batches, moments)
    kept: list[int] = []
    for place in sorted(
        range(len(names)), key=lambda place: shares[names[place]]
    ):  # sorted keeps the order of the table
        enough = max(_FEWEST_ROWS, _STANDS_FOR * float(moments.known[place]))
        alike = [other for other in kept if rows[place, other] >= enough]
        best = max(alike, key=lambda other: abs(correlations[place, other]), default=None)
        if best is None or abs(correlations[place, best]) < bound - _ROUNDING:
            kept.append(place)
            continue
        reason = f"correlation {correlations[place, best]:.4g} with {names[best]}, which is kept"
        yield DroppedColumn(names[place], f"{KEY}.correlation", reason)
