"""The parts of one value: which words of a text, and which areas of a picture, make the score of a row.

A part that is covered is not seen by the model: a word is left out, an area has the mean colour of the picture. The parts are players
in the game of `row_shapley.py`, whose one background row has all parts covered, so that their Shapley values add up to what the whole
value adds to the score. The second method covers each part alone ("occlusion": Zeiler and Fergus, 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.types.signature import Feature
from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Array, Arrays
from components.explain.rank_agreement import RankAgreement, compare_parts
from components.explain.row_shapley import attribute_row, worth_without

MOST_PARTS = 49
"""Most parts of a value: seven times seven areas of a picture."""
_EXACT_PARTS = 8
_MOST_SCORED = 1_000
"""Values that are made and scored for one explanation: a second or two for pictures."""
_SCORED_AT_ONCE = 32
"""Pictures in memory at a time."""

Cover = Callable[[NDArray[np.bool_]], str]
"""Makes the value in which only some parts are seen, as the model takes it; of bool [parts]."""


@dataclass(frozen=True)
class DividedValue:
    """A value and its parts.

    Attributes:
        parts: A name for each part, in reading order.
        cover: Makes the value in which only some parts are seen.
        columns: Parts in each line of a picture's grid; 0: they are words, one after the other.
    """

    parts: tuple[str, ...]
    cover: Cover
    columns: int = 0


@dataclass(frozen=True)
class ValueParts:
    """What each part of a value adds to the score of its row.

    Attributes:
        feature: The feature whose value it is.
        parts: A name for each part, in reading order.
        columns: Parts in each line of a picture's grid; 0: they are words.
        values: Shapley value of each part; they add up to `score - base`.
        errors: Standard error of each value; 0 where every set of parts was scored.
        alone: How much the score falls when only this part is covered.
        score: Score of the row.
        base: Score of the row with all parts covered.
        agreement: How far both methods agree.
        value: The whole value, as the model takes it.
    """

    feature: str
    parts: tuple[str, ...]
    columns: int
    values: tuple[float, ...]
    errors: tuple[float, ...]
    alone: tuple[float, ...]
    score: float
    base: float
    agreement: RankAgreement
    value: str

    def to_dict(self) -> dict[str, Any]:
        """Return it without the whole value, which the row has."""
        return {name: part for name, part in asdict(self).items() if name != "value"}


def explain_parts(
    model: Model, row: Arrays, feature: str, divided: DividedValue, class_index: int | None, seed: int
) -> ValueParts | None:
    """Explain one value of a row by its parts; None where it has fewer than two.

    Args:
        model: The model.
        row: The row, [1] by feature.
        feature: The feature whose value is divided.
        divided: Its value and the parts.
        class_index: For a score by class, the class whose score is explained; None otherwise.
        seed: Equal seeds give equal explanations.

    Raises:
        ModelError: When the model fails on a value with covered parts.
    """
    count = len(divided.parts)
    if count < 2:
        return None
    game = _PartsModel(model, row, feature, divided)
    names = [part.name for part in game.signature.inputs]
    shown: Arrays = {name: np.ones(1, np.int64) for name in names}
    covered: Arrays = {name: np.zeros(1, np.int64) for name in names}
    shapley = attribute_row(game, shown, covered, class_index, seed, _EXACT_PARTS, _MOST_SCORED)
    alone = worth_without(game, shown, covered, class_index)
    return ValueParts(
        feature,
        divided.parts,
        divided.columns,
        tuple(shapley.values[name] for name in names),
        tuple(shapley.errors[name] for name in names),
        tuple(alone[name] for name in names),
        shapley.score,
        shapley.base,
        compare_parts(shapley.values, alone),
        str(row[feature][0]),
    )


class _PartsModel(Model):
    """A model of the parts of one value: it takes a 1 for each part that is seen, and answers as the whole model does for such a row."""

    def __init__(self, model: Model, row: Arrays, feature: str, divided: DividedValue) -> None:
        parts = tuple(Feature(f"{place:05}", "int64", False) for place in range(len(divided.parts)))
        self.signature = replace(model.signature, inputs=parts)
        self._model, self._row, self._feature, self._divided = model, row, feature, divided

    def predict(self, arrays: Arrays) -> Arrays:
        seen = np.stack([arrays[part.name] for part in self.signature.inputs], axis=1) == 1
        groups = [seen[start : start + _SCORED_AT_ONCE] for start in range(0, len(seen), _SCORED_AT_ONCE)]
        answers = [self._answer(group) for group in groups]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    def _answer(self, seen: Array) -> Arrays:
        rows = {name: np.repeat(value, len(seen), axis=0) for name, value in self._row.items()}
        rows[self._feature] = np.array([self._divided.cover(each) for each in seen], dtype=object)
        return self._model.predict(rows)
