"""Calls a model once before it serves, so that the first client does not wait and a broken model is never ready.

A registered model comes with a real row (`_core/examples/reference_rows.py`), which it must answer. For any other model, rows are
made up, of which it must answer one: a division or a logarithm in it has no finite result for some of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components._core.types.signature import Feature
from components._predictor.refusals import Refusal

_NAME = "of the warm-up"
_MADE_UP: dict[str, list[Any]] = {
    "real": [0.0, 1.0, 2.0, 10.0, 100.0, 1_000.0, 1_000_000.0, -1.0, 0.5],
    "whole": [0, 1, 2, 10, 100, 1_000, 1_000_000, -1, 1],
    "text": ["?", "1", "0", "2020-01-01", "2020-01-01 10:00:00", "10:00", "a", "a b", "1.5"],
}

_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4__8_AAX-Av4N70a4AAAAAElFTkSuQmCC"
"""A PNG file of one white pixel, as URL-safe base64."""


def warm_up(
    predict: Callable[[dict[str, list[Any]], str], object], features: tuple[Feature, ...], row: dict[str, Any]
) -> None:
    """Call a model for one row.

    Args:
        predict: The model; takes values by feature, and the id of the request for the log.
        features: Inputs of the model.
        row: A real row, value by feature; empty when none is known.

    Raises:
        Refusal: When the model does not answer the real row, or none of the made-up ones.
    """
    if row:
        predict({name: [value] for name, value in row.items()}, _NAME)
        return
    first: Refusal | None = None
    for number in range(len(_MADE_UP["text"])):
        try:
            predict(_made_up(features, number), _NAME)
        except Refusal as refusal:
            first = first or refusal
        else:
            return
    if first:
        raise first


def _made_up(features: tuple[Feature, ...], number: int) -> dict[str, list[Any]]:
    """Make values that differ between features, except in the first row, so that a difference of two features is not 0."""
    return {
        feature.name: [_PICTURE if feature.is_picture else _value(feature.type.kind, number, position if number else 0)]
        for position, feature in enumerate(features)
    }


def _value(kind: str, number: int, position: int) -> Any:
    value = _MADE_UP[kind][number]
    return value if kind == "text" else value + position
