"""The explanation of a row as lines of at most 80 columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from rich.cells import cell_len, set_cell_size

from components._core.report.number_format import MISSING, show
from components.explain.rank_agreement import COMPARABLE, UNLIKE, RankAgreement
from pipelines.row_explanation.explained_row import ExplainedRow
from pipelines.row_explanation.value_part_lines import value_part_lines

WIDTH = 80
_NAME, _VALUE, _NUMBER, _ERROR = 24, 14, 10, 9
_MOST_PARTS, _MOST_VALUES = 20, 6


def explanation_lines(found: ExplainedRow) -> list[str]:
    """Describe the score of a row and the parts of its features by both methods."""
    lines = [*_wrap(f"{found.model}; {found.row.title}"), "", *_score_lines(found), "", *_part_lines(found)]
    return [*lines, *(line for each in found.parts for line in ("", *value_part_lines(each)))]


def trace_lines(found: ExplainedRow) -> list[str]:
    """Describe the way of a row: raw values, what preprocessing makes of them, score, answer, parts."""
    lines = [*_wrap(f"{found.model}; {found.row.title}"), "", "1  raw values, as a request has them"]
    lines += [_pair(name, _shown(found, name)) for name in found.values]
    lines += ["", *_transformed_lines(found.transformed), "", "3  what the model answers"]
    lines += [_pair(name, value) for name, value in found.outputs.items()]
    if found.row.answered is not None:
        then = ", ".join(f"{name} {_value(value)}" for name, value in found.row.answered.items())
        lines += _wrap(f"   then it was answered {then}", "   ", "   ")
    lines += ["", *_wrap(f"4  {_answer(found)}", "   "), "", "5  what made the score", *_score_lines(found, "   ")]
    return [*lines, "", *_part_lines(found), *(line for each in found.parts for line in ("", *value_part_lines(each)))]


def _shown(found: ExplainedRow, name: str) -> str:
    """Return a raw value as a text; of a picture only its size."""
    value = found.values[name]
    is_picture = any(each.columns and each.feature == name for each in found.parts)
    return f"({len(value) * 3 // 4:,} bytes)" if is_picture and isinstance(value, str) else _value(value)


def _pair(name: str, value: Any) -> str:
    return f"   {_cell(name, _NAME)} {_cell(_value(value), WIDTH - _NAME - 4).rstrip()}"


def _transformed_lines(transformed: Mapping[str, Any] | None) -> list[str]:
    if transformed is None:
        return ["2  no preprocessing_fn in front: the model prepares the raw values itself"]
    head = f"2  what preprocessing_fn makes of them: {len(transformed)} columns"
    return [head, *(_pair(name, value) for name, value in transformed.items())]


def _score_lines(found: ExplainedRow, indent: str = "") -> list[str]:
    shapley = found.explanation.shapley
    answer = f"; {_answer(found)}" if found.answer else _label(found)
    return [
        *_wrap(f"score  {found.score:.4f}  {found.explained}{answer}", f"{indent}       ", indent),
        *_wrap(f"base   {shapley.base:.4f}  mean of {shapley.rows} {found.background}", f"{indent}       ", indent),
    ]


def _answer(found: ExplainedRow) -> str:
    label = _label(found)
    if not found.answer:
        return f"the prediction is {found.score:.6g}{label}"
    by = f" (positive from {show(found.threshold)})" if found.threshold is not None else ""
    return f"answer {found.answer}{by}{label}"


def _label(found: ExplainedRow) -> str:
    return "" if found.row.label is None else f", the label is {found.row.label}"


def _part_lines(found: ExplainedRow) -> Iterator[str]:
    shapley, second = found.explanation.shapley, found.explanation.second
    parts = sorted(shapley.values.items(), key=lambda item: (-abs(item[1]), item[0]))
    shown = parts[:_MOST_PARTS]
    error = "" if shapley.is_exact else f"{'+-':>{_ERROR}}"
    width = max(_NUMBER, len(second.name))
    yield f"{'feature':<{_NAME}} {'value':<{_VALUE}}{'Shapley':>{_NUMBER}}{error} {second.name:>{width}}"
    for name, part in shown:
        other = _part(second.values[name]) if name in second.values else MISSING
        error = "" if shapley.is_exact else f"{shapley.errors[name]:>{_ERROR}.4f}"
        value = _cell(_shown(found, name), _VALUE)
        yield f"{_cell(name, _NAME)} {value}{_part(part):>{_NUMBER}}{error} {other:>{width}}"
    if rest := parts[_MOST_PARTS:]:
        yield f"{f'{len(rest)} more features':<{_NAME + _VALUE + 1}}{_part(sum(part for _, part in rest)):>{_NUMBER}}"
    total = _part(sum(shapley.values.values()))
    yield f"{'sum = score - base':<{_NAME + _VALUE + 1}}{total:>{_NUMBER}}"
    yield ""
    yield from _wrap(_how(found))
    yield from _wrap(_agreement(found.explanation.agreement, second.name))


def _how(found: ExplainedRow) -> str:
    shapley, second = found.explanation.shapley, found.explanation.second
    exact = f"all {2 ** len(shapley.values):,} sets of features"
    how = f"exact over {exact}" if shapley.is_exact else f"{shapley.orders} orders for each of {shapley.rows} rows"
    text = f"Shapley values: {how}."
    if not shapley.is_exact:
        text += " +- is the standard error of drawing these orders."
    if second.unit == "raw score":
        text += f" {second.name.capitalize()}: in the raw score, before it becomes a probability."
    if missing := [name for name in shapley.values if name not in second.values]:
        names = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        text += f" {second.name.capitalize()} say nothing of texts ({names})."
    if not second.adds_up:
        text += " Replaced alone: the fall of the score when only this feature gets the other rows' values."
    return text


def _agreement(agreement: RankAgreement, second: str) -> str:
    if agreement.features < 2 or math.isnan(agreement.spearman):
        return f"Shapley values and {second}: too few features to compare their order."
    unlike = agreement.features >= COMPARABLE and agreement.spearman < UNLIKE
    verdict = "order the features differently, read both with care" if unlike else "agree"
    return (
        f"Both methods {verdict}: Spearman {agreement.spearman:.2f}, Kendall {agreement.kendall:.2f}, "
        f"the same direction in {agreement.same_sign} of {agreement.features} features."
    )


def _part(value: float) -> str:
    return f"{value:+.4f}" if abs(value) < 10_000 else f"{value:+.5g}"


def _value(value: Any) -> str:
    if value is None or value == "":
        return "(missing)"
    if isinstance(value, list):
        shown = ", ".join(_value(item) for item in value[:_MOST_VALUES])
        return f"[{shown}{f', ... of {len(value)}' if len(value) > _MOST_VALUES else ''}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else str(value)
    return text if text.isprintable() else json.dumps(text)


def _cell(text: str, width: int) -> str:
    text = text if text.isprintable() else json.dumps(text)
    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def _wrap(text: str, following: str = "", first: str = "") -> Sequence[str]:
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=following, break_on_hyphens=False)
