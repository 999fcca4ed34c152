"""The values of a row that are divided into parts: its texts and its pictures."""

from __future__ import annotations

from collections.abc import Callable

from components._core.types.contents import PICTURE, TEXT
from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Arrays
from components.explain.picture_parts import divide_picture
from components.explain.text_parts import divide_text
from components.explain.value_parts import DividedValue, ValueParts, explain_parts

_DIVIDERS: dict[str, Callable[[str], DividedValue]] = {PICTURE: divide_picture, TEXT: divide_text}
"""Divides a value by the content of its feature."""


def explain_values(model: Model, row: Arrays, class_index: int | None, seed: int) -> list[ValueParts]:
    """Explain the texts and pictures of a row by their words and areas, in the order of the features; missing ones have none.

    Args:
        model: The model.
        row: The row, [1] by feature.
        class_index: For a score by class, the class whose score is explained; None otherwise.
        seed: Equal seeds give equal explanations.

    Raises:
        ModelError: When the model fails on a value of which parts are covered.
    """
    divided = {
        feature.name: _DIVIDERS[feature.content](str(row[feature.name][0]))
        for feature in model.signature.inputs
        if feature.content in _DIVIDERS and row[feature.name][0]
    }
    found = (explain_parts(model, row, name, value, class_index, seed) for name, value in divided.items())
    return [parts for parts in found if parts is not None]
