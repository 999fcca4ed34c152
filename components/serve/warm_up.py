"""The first call of a model, before a client makes it: so that a client does not wait, and a broken model is never ready.

A registered model has a real row beside it (`_core/examples/reference_rows.py`), and must answer that one. For another model rows are
made up, of which it must answer one: a feature that divides, or takes a logarithm, has no finite answer for some of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components._core.types.signature import Feature
from components.serve.refusals import Refusal

_NAME = "of the warm-up"
_MADE_UP: dict[str, list[Any]] = {
    "real": [0.0, 1.0, 2.0, 10.0, 100.0, 1_000.0, 1_000_000.0, -1.0, 0.5],
    "whole": [0, 1, 2, 10, 100, 1_000, 1_000_000, -1, 1],
    "text": ["?", "1", "0", "2020-01-01", "2020-01-01 10:00:00", "10:00", "a", "a b", "1.5"],
}


def warm_up(
    predict: Callable[[dict[str, list[Any]], str], object], features: tuple[Feature, ...], row: dict[str, Any]
) -> None:
    """Call a model for one row.

    Args:
        predict: The model; takes values by feature, and what the log calls the request.
        features: What it takes.
        row: A real row, value by feature; empty when none is known.

    Raises:
        Refusal: When it does not answer the real row, or none of the made-up ones.
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
    """Values that differ from feature to feature, except in the first row: the difference of two is not 0."""
    return {
        feature.name: [_value(feature.type.kind, number, place if number else 0)]
        for place, feature in enumerate(features)
    }


def _value(kind: str, number: int, place: int) -> Any:
    value = _MADE_UP[kind][number]
    return value if kind == "text" else value + place
