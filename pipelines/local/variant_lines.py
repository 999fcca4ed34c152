"""The optimised variants of a run's model, as lines for the terminal."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from components._core.report.number_format import show
from components._core.types.variant_table import VariantRow, VariantTable

_WIDTH = 78


def describe_variants(evaluation: Path) -> list[str]:
    """Describe the variants that were made of the model, a line each, the served one marked; empty without `serve.optimize`.

    Args:
        evaluation: Output of evaluate.
    """
    table = VariantTable.load(evaluation)
    if table is None:
        return []
    width = max(len(entry.name) for entry in table.entries)
    lines = [f"variants of the model, by {table.rows:,} eval rows and calls in turns (serve.optimize)"]
    lines += [
        f"{'*' if entry.name == table.served else ' '} {entry.name:<{width}}  {_numbers(entry)}"
        for entry in table.entries
    ]
    return [*lines, *(f"  {line}" for line in wrap(table.reason, _WIDTH))]


def _numbers(entry: VariantRow) -> str:
    if entry.row_ms is None or entry.batch_ms is None:
        return entry.status
    times = f"{_short(entry.row_ms)} ms a row, {_short(entry.batch_ms)} ms a thousand"
    refused = f", {entry.status}" if entry.status == "refused" else ""
    return f"{times}, {entry.speedup:.2f} times as fast{refused}" if entry.speedup else times


def _short(value: float) -> str:
    return show(float(f"{value:.3g}"))
