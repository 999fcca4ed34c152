"""Checks of dates whose order of day and month is not the same in all cells of a column."""

from __future__ import annotations

from collections.abc import Sequence

from components._core.checks import Check
from components._core.project.data_config import Data
from components._data.columns.date_orders import OrderCounts, merge_orders


def check_orders(data: Data, files: Sequence[OrderCounts], rows: int) -> list[Check]:
    """Warn of a column with dates of two orders.

    Args:
        data: The project's `data` section; its excluded columns matter only where they split the rows. A column that it says is text
            is meant to be one.
        files: The dates of each file.
        rows: Number of rows.
    """
    texts = {name for name, column in data.columns.items() if column.type not in ("date", "time", "number")}
    hidden = (set(data.exclude) | texts) - {data.split.time_column}
    return [
        Check(
            "date order",
            "warn",
            float(min(count.dmy, count.mdy) + count.both),
            0.0,
            n=rows,
            reason=f"{column}: {count.describe()}; {count.remedy(column)}",
        )
        for column, count in merge_orders(files).mixed().items()
        if column not in hidden
    ]
