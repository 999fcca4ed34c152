"""A file whose dates contradict the order in which they are read: no row of it is answered with a day for a month."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from components._core.errors import DataError
from components._core.project.serving_config import RequestLogging, Serve
from components.predict import predict
from components.predict.destinations.contract import Output
from components.predict.predict import predict_table
from tests.components.predict.conftest import Versions
from tests.components.predict.made import project, read, run

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


def _published(folder: Path) -> set[str]:
    """What is outside of the source and the parts that an unfinished batch keeps."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith(("store/tiny/predictions/", "source/"))}


@pytest.mark.parametrize("output", ["out", "out.csv", "out.parquet", "sqlite"])
def test_parts_before_the_dates_that_are_wrong_are_never_published(
    tmp_path: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """The file that is wrong is the last one of many parts; a second run finds all parts complete, and is refused as well."""
    monkeypatch.setattr(predict, "part_rows", lambda columns: 20)
    (tmp_path / "source").mkdir()
    write(tmp_path / "source" / "1.csv", "%d/%m/%Y")
    write(tmp_path / "source" / "2.csv", "%m/%d/%Y")
    to = f"sqlite:///{tmp_path}/answers.db" if output == "sqlite" else str(tmp_path / output)
    made = project(tmp_path / "source", **READ_DAY_FIRST)
    logged = made.model_copy(update={"serve": Serve(request_log=RequestLogging())})
    done: list[int] = []
    for _ in range(2):
        with pytest.raises(DataError, match=r"2\.csv, line \d+: carrier: dates are read day first"):
            predict_table(
                logged,
                versions(),
                Output(to, table="answers" if output == "sqlite" else ""),
                str(tmp_path / "store"),
                lambda answered, _rejected: done.append(answered),
            )
        assert _published(tmp_path) <= {"answers.db"} and not _tables(tmp_path / "answers.db")
    assert done[: len(done) // 2] == done[len(done) // 2 :] and len(done) > 6


def _tables(database: Path) -> list[str]:
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as connection:
        return [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]


def test_a_joined_table_in_the_other_order_is_refused_before_any_row_is_read(
    tmp_path: Path, versions: Versions
) -> None:
    days = "".join(f"{number},{day:%m/%d/%Y}\n" for number, day in enumerate(DAYS))
    (tmp_path / "days.csv").write_text("flight,carrier\n" + days)
    (tmp_path / "t.csv").write_text("flight,delay,month,noise\n" + "".join(f"{n},1.5,3,0.5\n" for n in range(90)))
    readings = {"carrier": {"type": "date", "order": "dmy"}}
    data = {"join": [{"source": str(tmp_path / "days.csv"), "on": ["flight"], "readings": readings}]}
    with pytest.raises(DataError, match=r"days\.csv, line \d+: carrier: dates are read day first") as raised:
        run(tmp_path / "t.csv", tmp_path / "out.csv", versions(), tmp_path / "store", data=data)
    assert "data.join.0.readings" in raised.value.remedy
    assert not list(tmp_path.glob("out.csv*"))


def test_a_few_dates_in_the_other_order_are_named(tmp_path: Path, versions: Versions) -> None:
    source = write(tmp_path / "t.csv", "%d/%m/%Y")
    source.write_text(source.read_text() + "1.5,3,03/25/2023,0.5\n")
    done = run(source, tmp_path / "out.csv", versions(), tmp_path / "store", data=READ_DAY_FIRST)
    (note,) = done.notes
    assert note.startswith("carrier: dates are read day first, but of them 1 can only be MM/DD/YYYY")


def test_a_file_in_its_order_is_answered(tmp_path: Path, versions: Versions) -> None:
    source = write(tmp_path / "t.csv", "%d/%m/%Y")
    assert not run(source, tmp_path / "out.csv", versions(), tmp_path / "store", data=READ_DAY_FIRST).notes
    assert read(tmp_path / "out.csv").num_rows == len(DAYS)
