"""The optimised variants of a model as a table of a page."""

from __future__ import annotations

from components._core.report.number_format import four_digits
from components._core.report.page import Cell
from components._core.types.variant_table import VariantRow, VariantTable


def variant_columns(table: VariantTable) -> tuple[list[str], list[list[Cell]], str]:
    """Return columns, rows and note of the table that compares the variants with the model."""
    columns = [
        "variant",
        "status",
        table.metric,
        "largest difference",
        "other class, % of rows",
        "1 row, ms",
        "1,000 rows, ms",
        "times as fast",
        "MB",
        "why",
    ]
    note = (
        f"Compared on {table.rows:,} eval rows, timed in turns in nine rounds; times differ from run to run. A difference is of a probability, "
        f"or in standard deviations of the predictions. {table.reason[:1].upper()}{table.reason[1:]}."
    )
    return columns, [_row(entry) for entry in table.entries], note


def _row(entry: VariantRow) -> list[Cell]:
    numbers = [
        entry.metric,
        entry.difference,
        None if entry.changed_classes is None else entry.changed_classes * 100,
        entry.row_ms,
        entry.batch_ms,
        entry.speedup,
        None if entry.bytes is None else entry.bytes / 1e6,
    ]
    cells: list[Cell] = [None if number is None else four_digits(number) for number in numbers]
    reason = f"{entry.what}: {entry.reason}" if entry.what and entry.reason else entry.what or entry.reason
    return [entry.name, entry.status, *cells, reason]
