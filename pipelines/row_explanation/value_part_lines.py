"""The words of a text or the areas of a picture, and what each adds to the score, as lines of at most 80 columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from textwrap import wrap

from rich.cells import cell_len, set_cell_size

from components.explain.rank_agreement import UNLIKE
from components.explain.value_parts import ValueParts

_WIDTH, _PART, _NUMBER = 80, 40, 10
_MOST_WORDS = 12


def value_part_lines(found: ValueParts) -> Iterator[str]:
    """Describe what each part of a value adds to the score."""
    yield from _grid_lines(found) if found.columns else _word_lines(found)
    yield ""
    yield from wrap(_how(found), _WIDTH, break_on_hyphens=False)


def _word_lines(found: ValueParts) -> Iterator[str]:
    largest = sorted(range(len(found.parts)), key=lambda place: (-abs(found.values[place]), place))[:_MOST_WORDS]
    head = f"words of {found.feature}" + (
        f", the largest {_MOST_WORDS} of {len(found.parts)}" if len(found.parts) > _MOST_WORDS else ""
    )
    yield f"{_cell(head)}{'Shapley':>{_NUMBER}}{'+-':>{_NUMBER}}{'left out':>{_NUMBER}}"
    for place in sorted(largest):
        numbers = f"{found.values[place]:>+{_NUMBER}.4f}{found.errors[place]:>{_NUMBER}.4f}{found.alone[place]:>+{_NUMBER}.4f}"
        yield f"{_cell(found.parts[place])}{numbers}"


def _grid_lines(found: ValueParts) -> Iterator[str]:
    yield f"areas of {found.feature}, from its upper left corner: Shapley values"
    for first in range(0, len(found.values), found.columns):
        yield "".join(f"{value:>+{_NUMBER}.4f}" for value in found.values[first : first + found.columns])


def _how(found: ValueParts) -> str:
    what, without = ("areas", "covered with the mean colour") if found.columns else ("words", "left out")
    total = f"{found.score:.4f}; with all {what} {without} it is {found.base:.4f}"
    if not found.columns:
        return f"The score is {total}. {_agreement(found)}"
    error = max(found.errors)
    return f"The score is {total}. A value is sure to +-{error:.4f}. {_agreement(found)}"


def _agreement(found: ValueParts) -> str:
    spearman = found.agreement.spearman
    if math.isnan(spearman):
        return "Covering one part alone changes nothing that could be compared."
    verdict = "agrees" if spearman >= UNLIKE else "orders the parts differently, read both with care"
    return f"Covering each part alone {verdict}: Spearman {spearman:.2f}."


def _cell(text: str) -> str:
    shown = text if text.isprintable() else json.dumps(text, ensure_ascii=False)
    return set_cell_size(shown if cell_len(shown) <= _PART else f"{set_cell_size(shown, _PART - 2)}…", _PART)
