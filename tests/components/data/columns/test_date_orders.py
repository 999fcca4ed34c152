"""Dates whose order of day and month contradicts that of other cells, against Python's own parser of dates."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from random import Random

import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._data.columns.date_orders import OrderCounts, merge_orders
from components._data.columns.dates import Order


def counted(cells: list[str | None], order: Order | None = None, batch: int = 1_000) -> OrderCounts:
    found = OrderCounts()
    for start in range(0, len(cells), batch):
        rows = pa.array(cells[start : start + batch], pa.string())
        found.add("d", rows, order, lambda row, start=start: f"t.csv, line {start + row + 2}")  # type: ignore[misc]
    return found


def _is_date(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _kind(text: str) -> str:
    as_dmy, as_mdy = _is_date(text, "%d/%m/%Y"), _is_date(text, "%m/%d/%Y")
    if as_dmy and as_mdy:
        return "both" if text[:2] != text[3:5] else "same"
    return "dmy" if as_dmy else "mdy" if as_mdy else "none"


@pytest.mark.parametrize("batch", [7, 1_000])
def test_the_kinds_of_dates_are_those_that_python_parses(batch: int) -> None:
    random = Random(3)
    cells = [
        f"{random.randint(1, 28):02d}/{random.randint(1, 28):02d}/{random.randint(1990, 2030)}" for _ in range(500)
    ]
    wanted = Counter(map(_kind, cells))
    (count,) = counted(cells, batch=batch).by_column.values()
    assert (count.cells, count.dmy, count.mdy, count.both) == (500, wanted["dmy"], wanted["mdy"], wanted["both"])
    first = next(place for place, cell in enumerate(cells) if _kind(cell) == "mdy")
    assert count.first["mdy"] == (cells[first], f"t.csv, line {first + 2}")


@pytest.mark.parametrize("mark", ["/", "-", ".", " / "])
@pytest.mark.parametrize("clock", ["", " 10:15", " 3:15 PM", "T10:15:00Z"])
@pytest.mark.parametrize("year", ["2023", "23"])
def test_separators_years_and_times_make_no_difference(mark: str, clock: str, year: str) -> None:
    cells = [mark.join(parts) + clock for parts in (("25", "03", year), ("3", "25", year), ("3", "4", year))]
    (count,) = counted(cells, "dmy").mixed().values()
    assert (count.dmy, count.mdy, count.both) == (1, 1, 1)


@pytest.mark.parametrize(
    "cells",
    [
        ["25/03/2023", "26/03/2023", "03/04/2023"],
        ["2023-03-25", "2023-25-03", "2023-03-04"],
        ["03/04/2023", "05/06/2023", None],
        ["25/03/2023", "03/25/2023", *(f"note {number}" for number in range(20))],
        ["1.2.3", "1.13.2", "13.1.2"],
        ["1.2.30", "1.13.20", "13.1.20"],
        ["", None],
    ],
)
def test_texts_of_one_order_and_other_texts_are_not_mixed(cells: list[str | None]) -> None:
    assert counted(cells).mixed() == {}


def test_one_cell_against_the_order_is_reported_with_the_cells_that_may_be_swapped() -> None:
    cells = [f"{day:02d}/03/2023" for day in range(13, 29)] * 10 + ["03/25/2023", "03/04/2023", "04/04/2023"]
    found = counted(cells, "dmy")
    found.check_orders()
    (count,) = found.mixed().values()
    assert count.describe() == (
        "dates are read day first, but of them 1 can only be MM/DD/YYYY (the first: '03/25/2023', t.csv, line 162), "
        "160 can only be DD/MM/YYYY (the first: '13/03/2023', t.csv, line 2), 1 either way, and these may be swapped"
    )


@pytest.mark.parametrize(
    ("cells", "order", "remedy"),
    [
        (["03/25/2023", "03/04/2023"], "dmy", "order: mdy}"),
        (["25/03/2023", "03/04/2023"], "mdy", "order: dmy}"),
        (["25/03/2023", "03/25/2023", "03/04/2023"], "dmy", "best YYYY-MM-DD, or keep the column as text"),
    ],
)
def test_a_file_that_contradicts_the_order_is_refused_with_line_counts_and_remedy(
    cells: list[str | None], order: Order, remedy: str
) -> None:
    with pytest.raises(DataError) as raised:
        counted(cells, order).check_orders()
    assert raised.value.where.startswith("t.csv, line ")
    assert "1 either way, and these may be swapped" in raised.value.message
    assert remedy in raised.value.remedy


def test_counts_of_files_are_added_and_survive_json() -> None:
    files = [counted(["25/03/2023", "03/04/2023"]), counted(["03/25/2023", "03/26/2023"])]
    assert not any(file.mixed() for file in files)
    merged = merge_orders(OrderCounts.from_json(file.to_json()) for file in files)
    (count,) = merged.mixed().values()
    assert (count.cells, count.dmy, count.mdy, count.both) == (4, 1, 2, 1)
    assert set(count.first) == {"dmy", "mdy"}
