"""A file whose dates contradict the order in which they are read: no row of it is answered with a day for a month."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from components._core.errors import DataError
from tests.components.predict.conftest import Versions
from tests.components.predict.made import read, run

DAYS = [date(2023, 1, 1) + timedelta(days=3 * number) for number in range(90)]
READ_DAY_FIRST = {"columns": {"carrier": {"type": "date", "order": "dmy"}}}


def write(path: Path, form: str) -> Path:
    rows = [f"{number}.5,{day.month},{day.strftime(form)},0.5\n" for number, day in enumerate(DAYS)]
    path.write_text("delay,month,carrier,noise\n" + "".join(rows))
    return path


def test_a_file_in_the_other_order_is_refused_before_anything_is_written(tmp_path: Path, versions: Versions) -> None:
    source = write(tmp_path / "t.csv", "%m/%d/%Y")
    with pytest.raises(DataError, match=r"t\.csv, line \d+: carrier: dates are read day first") as raised:
        run(source, tmp_path / "out.csv", versions(), tmp_path / "store", data=READ_DAY_FIRST)
    assert "order: mdy" in raised.value.remedy
    assert not list(tmp_path.glob("out.csv*"))


def test_a_file_in_its_order_is_answered(tmp_path: Path, versions: Versions) -> None:
    source = write(tmp_path / "t.csv", "%d/%m/%Y")
    run(source, tmp_path / "out.csv", versions(), tmp_path / "store", data=READ_DAY_FIRST)
    assert read(tmp_path / "out.csv").num_rows == len(DAYS)
