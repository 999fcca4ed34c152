"""Dates of two orders: reported with counts, line and remedy, and refused where they would be swapped."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import DataError
from tests.components.ingest.test_check_source import check
from tests.components.ingest.test_ingest import ingest, write

DAYS = [date(2023, 1, 1) + timedelta(days=number) for number in range(365)]
DMY, MDY = "%d/%m/%Y", "%m/%d/%Y"
BOTH = sum(day.day <= 12 and day.day != day.month for day in DAYS)


def table(path: Path, forms: list[str]) -> Path:
    rows = [f"{day.strftime(forms[number % len(forms)])},{number}\n" for number, day in enumerate(DAYS)]
    return write(path, "d,y\n" + "".join(rows))


def reading(order: str) -> dict[str, Any]:
    return {"d": {"type": "date", "order": order}}


def test_a_column_of_both_orders_is_text_and_a_warning(tmp_path: Path) -> None:
    outcome, _, rows = ingest(tmp_path, table(tmp_path / "t.csv", [DMY, MDY]))
    (found,) = [check for check in outcome.checks if check.name == "date order"]
    assert found.status == "warn" and found.reason in outcome.reason
    assert "t.csv, line " in found.reason and f"{BOTH} either way" in found.reason
    assert sorted(rows["d"].to_pylist()) == sorted(
        day.strftime([DMY, MDY][number % 2]) for number, day in enumerate(DAYS)
    )


@pytest.mark.parametrize(("forms", "order"), [([DMY, MDY], "dmy"), ([DMY, MDY], "mdy"), ([MDY], "dmy"), ([DMY], "mdy")])
def test_dates_that_would_be_swapped_end_the_run(tmp_path: Path, forms: list[str], order: str) -> None:
    source = table(tmp_path / "t.csv", forms)
    for read in (
        lambda: ingest(tmp_path, source, columns=reading(order)),
        lambda: check(source, {}, columns=reading(order)),
    ):
        with pytest.raises(
            DataError, match=rf"t\.csv, line \d+: d: dates are read .* {BOTH} either way, and these may be"
        ):
            read()


@pytest.mark.parametrize(("form", "order"), [(DMY, "dmy"), (MDY, "mdy"), ("%Y-%m-%d", "dmy")])
def test_dates_of_one_order_are_read_by_it_without_a_word(tmp_path: Path, form: str, order: str) -> None:
    outcome, _, rows = ingest(tmp_path, table(tmp_path / "t.csv", [form]), columns=reading(order))
    assert sorted(rows["d"].to_pylist()) == [day.isoformat() for day in DAYS]
    assert not [check for check in outcome.checks if check.name == "date order"]


def test_a_later_span_in_the_other_order_ends_the_run_with_its_file(tmp_path: Path) -> None:
    table(tmp_path / "s-1.csv", [DMY])
    ingest(tmp_path / "one", tmp_path / "s-{span}.csv", columns=reading("dmy"))
    table(tmp_path / "s-2.csv", [MDY])
    with pytest.raises(DataError, match=r"s-2\.csv, line 14: d: dates are read day first"):
        ingest(tmp_path / "two", tmp_path / "s-{span}.csv", columns=reading("dmy"))


def test_spans_of_different_orders_that_are_kept_as_text_are_a_warning(tmp_path: Path) -> None:
    table(tmp_path / "s-1.csv", [DMY])
    table(tmp_path / "s-2.csv", [MDY])
    outcome = ingest(tmp_path / "out", tmp_path / "s-{span}.csv")[0]
    assert "d: dates in two orders, kept as text" in outcome.reason


@pytest.mark.parametrize("kind", ["text", "category"])
def test_a_column_that_the_project_keeps_as_text_is_not_reported(kind: str, tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv", [DMY, MDY])
    outcome = ingest(tmp_path, source, columns={"d": {"type": kind}})[0]
    assert not [check for check in outcome.checks if check.name == "date order"]
    assert not [each for each in check(source, {}, columns={"d": {"type": kind}}).checks if each.name == "date order"]


def test_an_excluded_column_is_not_reported(tmp_path: Path) -> None:
    lines = table(tmp_path / "d.csv", [DMY, MDY]).read_text().splitlines()
    source = write(tmp_path / "t.csv", "".join(f"{number or 'x'},{line}\n" for number, line in enumerate(lines)))
    assert "dates in two orders" in ingest(tmp_path / "as_it_is", source)[0].reason
    assert "dates in two orders" not in ingest(tmp_path / "without", source, exclude=["d"])[0].reason


def test_the_dates_of_a_joined_table_are_held_against_their_order(tmp_path: Path) -> None:
    second = table(tmp_path / "w.csv", [MDY])
    first = write(tmp_path / "t.csv", "k,y\n" + "".join(f"{number},{number * 2}\n" for number in range(60)))
    join = [{"source": str(second), "on": {"k": "y"}, "columns": ["d"], "readings": reading("dmy")}]
    with pytest.raises(DataError, match=r"w\.csv, line \d+: d: dates are read day first") as raised:
        ingest(tmp_path / "out", first, join=join)
    assert "data.join.0.readings, d: {type: date, order: mdy}" in str(raised.value)
