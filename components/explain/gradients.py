"""Integrated gradients: each number's part in the way from the typical row to a row, through the model as it is served.

The straight way from the typical row to the row is cut into equal steps. A float32's part is its gradient in the middle of
each step, times its length. For an int64 no gradient is defined: its part is the difference that going on by the step makes to
the score, from whole number to whole number, while all others stand in the middle. Strings have no slope and missing numbers
no way: both stay as they are in the row. By completeness the parts add up to the difference of the two scores; how nearly
they do is reported.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks" (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components._frameworks.contract import Gradients, Model
from components._frameworks.sampled_rows import Array, Arrays
from components._frameworks.variations import score_variations
from components.explain.attribution import Attribution, explained_score

STEPS = 32


def integrated_gradients(
    model: Model, arrays: Arrays, baseline: Arrays, classes: Array | None, steps: int = STEPS
) -> Attribution | None:
    """Integrated gradients of the numeric features; None: the model's framework has no gradients.

    Args:
        model: The model.
        arrays: The rows to explain.
        baseline: Where the ways begin: the typical row, [1] each, or a row for each, [rows].
        classes: For many classes, the class explained in each row.
        steps: Places on the way, at the middle of equal parts.
    """
    gradients = model.gradients()
    if gradients is None:
        return None
    numeric = [feature for feature in model.signature.inputs if not feature.type.is_text]
    start = {**arrays, **{item.name: _start(arrays[item.name], baseline[item.name]) for item in numeric}}
    moved = explained_score(model, arrays, classes) - explained_score(model, start, classes)
    way = _Way(start, arrays, classes, steps)
    floats = [item.name for item in numeric if item.type.is_real]
    whole = [item.name for item in numeric if item.type.is_whole]
    values = {**_float_parts(gradients, way, floats), **_whole_parts(model, way, whole)}
    return Attribution({item.name: values[item.name] for item in numeric}, moved)


@dataclass(frozen=True)
class _Way:
    """The straight way of every row, in steps; places have shape [rows * steps], the steps of a row side by side."""

    start: Arrays
    end: Arrays
    classes: Array | None
    steps: int

    @property
    def rows(self) -> int:
        return len(next(iter(self.end.values())))

    def at(self, name: str, offset: float) -> Array:
        """A feature's values in each step, `offset` steps from its middle."""
        place = np.tile((np.arange(self.steps) + 0.5 + offset) / self.steps, self.rows)
        return _between(np.repeat(self.start[name], self.steps), np.repeat(self.end[name], self.steps), place)

    def middles(self) -> Arrays:
        """Every feature in the middle of each step; strings as they are in the row."""
        strings = {name for name, values in self.end.items() if values.dtype == object}
        return {
            name: np.repeat(values, self.steps) if name in strings else self.at(name, 0.0)
            for name, values in self.end.items()
        }

    def explained(self, times: int = 1) -> Array | None:
        """The class explained in each step."""
        return None if self.classes is None else np.tile(np.repeat(self.classes, self.steps), times)

    def by_row(self, values: Array) -> Array:
        """Shape [rows, steps]."""
        shaped: Array = values.reshape(self.rows, self.steps)
        return shaped


def _float_parts(gradients: Gradients, way: _Way, names: list[str]) -> dict[str, Array]:
    slopes = gradients(way.middles(), names, way.explained()) if names else {}
    return {
        name: way.by_row(slope).mean(axis=1) * _length(way.start[name], way.end[name]) for name, slope in slopes.items()
    }


def _whole_parts(model: Model, way: _Way, names: list[str]) -> dict[str, Array]:
    ends = ((name, way.at(name, offset)) for name in names for offset in (-0.5, 0.5))
    scored = score_variations(
        lambda many, times: explained_score(model, many, way.explained(times)), way.middles(), ends
    )
    found = {}
    for name in names:
        before, after = next(scored), next(scored)
        found[name] = way.by_row(after - before).sum(axis=1)
    return found


def _start(values: Array, typical: Array) -> Array:
    """The typical value for every row; where a number is missing at either end there is no way to go, and the row's stays."""
    start = np.broadcast_to(typical, values.shape)
    if values.dtype.kind != "f":
        return start.copy()
    return np.where(np.isnan(values) | np.isnan(start), values, start).astype(values.dtype)


def _between(start: Array, end: Array, place: Array) -> Array:
    at = start + (end - start) * place
    return (np.rint(at) if end.dtype.kind != "f" else at).astype(end.dtype)


def _length(start: Array, end: Array) -> Array:
    return np.nan_to_num(end.astype(np.float64) - start.astype(np.float64))
