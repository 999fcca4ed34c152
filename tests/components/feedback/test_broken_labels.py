"""Labels as they should not be: nothing passes silently, closes a row or is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError, NaruError
from tests.components.feedback.made import NEXT_DAY, NOON, SIGNATURE, Place, request

HEADER = "request,outcome\n"


def logged(root: Path, rows: int = 60, **config: object) -> Place:
    place = Place(root, **config)
    place.write_log([request(number) for number in range(rows)])
    return place


def test_one_odd_label_among_many_closes_no_row(tmp_path: Path) -> None:
    """A column of numbers has a missing value for an odd cell elsewhere: here that would close the row for ever."""
    place = logged(tmp_path, 1_000)
    lines = [f"r{number},{number % 2}" for number in range(999)]
    (place.labels / "a.csv").write_text(HEADER + "\n".join([*lines, "r999,unknown"]) + "\n")
    report = place.run()
    assert report.rows == 999 and report.open == 1 and not report.counts["closed"]
    assert report.labels.bad.total() == 1 and "unknown" in "".join(report.labels.examples.values())


def test_an_odd_cell_of_another_column_is_no_matter(tmp_path: Path) -> None:
    place = logged(tmp_path, 1_000)
    lines = [f"r{number},1,{number}" for number in range(999)]
    (place.labels / "a.csv").write_text("request,outcome,price\n" + "\n".join([*lines, "r999,1,free"]) + "\n")
    assert place.run().rows == 1_000


def test_labels_that_contradict_each_other_are_counted_and_the_last_one_counts(tmp_path: Path) -> None:
    place = logged(tmp_path)
    lines = ["r1,0", "r1,1", "r1,1", "r2,0", "r2,0", "r3,1", "r3,", "r4,", "r4,"]
    (place.labels / "a.csv").write_text(HEADER + "\n".join(lines) + "\n")
    (place.labels / "b.csv").write_text(HEADER + "r2,1\n")
    report = place.run()
    assert report.counts["superseded"] == 6 and report.counts["contradicted"] == 2
    assert sorted(row["late"] for row in place.rows(1)) == [1, 1] and report.counts["closed"] == 2


def test_labels_of_a_wrong_type_are_refused_with_an_example(tmp_path: Path) -> None:
    place = logged(tmp_path)
    (place.labels / "a.csv").write_text(HEADER + "".join(f"r{number},late\n" for number in range(60)))
    with pytest.raises(
        DataError, match=r"60 of 60 labels cannot be used\n  60 bad label, the first: a\.csv: 'late'"
    ) as error:
        place.run()
    assert "of type int64" in error.value.remedy and not place.home.exists()


def test_a_file_with_other_columns_than_the_first_is_named(tmp_path: Path) -> None:
    place = logged(tmp_path)
    (place.labels / "a.csv").write_text(HEADER + "r1,1\n")
    (place.labels / "b.csv").write_text("id,label\nr2,1\n")
    with pytest.raises(NaruError) as error:
        place.run()
    assert "b.csv" in str(error.value) and not place.home.exists()


def test_a_parquet_file_with_other_columns_than_the_first_is_named(tmp_path: Path) -> None:
    place = logged(tmp_path)
    pq.write_table(pa.table({"request": ["r1"], "outcome": [1]}), place.labels / "a.parquet")
    pq.write_table(pa.table({"id": ["r2"], "label": [1]}), place.labels / "b.parquet")
    with pytest.raises(NaruError) as error:
        place.run()
    assert "b.parquet" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\xff\x00" * 50, b"PAR1 and no Parquet"])
def test_a_file_that_is_none_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    place = logged(tmp_path)
    (place.labels / "a.csv").write_bytes(content)
    with pytest.raises(NaruError) as error:
        place.run()
    assert "a.csv" in str(error.value)


def test_a_file_without_rows_is_no_error(tmp_path: Path) -> None:
    place = logged(tmp_path)
    (place.labels / "a.csv").write_text(HEADER)
    assert place.run().rows == 0


def test_ten_thousand_unknown_ids_are_refused_with_three_of_each_side(tmp_path: Path) -> None:
    place = logged(tmp_path)
    (place.labels / "a.csv").write_text(HEADER + "".join(f"x{number},1\n" for number in range(10_000)))
    with pytest.raises(DataError, match=r"10,000 of 10,000 labels have an id that no logged answer has") as error:
        place.run()
    assert "'x0', 'x1', 'x2'" in error.value.message and len(str(error.value)) < 1_000


def test_a_file_that_is_gone_when_it_is_read_ends_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components._feedback import make_span

    place = logged(tmp_path)
    (place.labels / "a.csv").write_text(HEADER + "r1,1\n")
    (place.labels / "b.csv").write_text(HEADER + "r2,1\n")
    listed = make_span.list_files

    def and_removed(*arguments: Any) -> object:
        found = listed(*arguments)
        (place.labels / "b.csv").unlink()
        return found

    monkeypatch.setattr(make_span, "list_files", and_removed)
    with pytest.raises(NaruError, match=r"b\.csv"):
        place.run()
    monkeypatch.setattr(make_span, "list_files", listed)
    assert place.run().rows == 1


def test_a_file_that_grows_after_it_was_listed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from components._feedback import make_span

    place = logged(tmp_path)
    (place.labels / "a.csv").write_text(HEADER + "r1,1\n")
    listed = make_span.list_files

    def and_grown(*arguments: Any) -> object:
        found = listed(*arguments)
        with (place.labels / "a.csv").open("a") as file:
            file.write("r2,1\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(make_span, "list_files", and_grown)
        first = place.run()
    second = place.run()
    assert first.rows + second.rows == 2 and not second.counts["corrected"]


def test_labels_may_be_a_table_of_a_database(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    database = tmp_path / "t.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE outcomes (request TEXT, outcome INTEGER)")
        connection.executemany(
            "INSERT INTO outcomes VALUES (?, ?)", [(f"r{number}", number % 2) for number in range(9)]
        )
    labels = {"source": f"sqlite:///{database}", "sql": {"table": "outcomes"}}
    place = logged(tmp_path / "place", labels=labels)
    assert place.run().rows == 9
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany("INSERT INTO outcomes VALUES (?, ?)", [("r9", 1), ("r3", 0)])
    report = place.run(NEXT_DAY)
    assert report.rows == 2 and report.counts["corrected"] == 1
    with pytest.raises(ConfigError) as error:
        logged(tmp_path / "other", labels={"source": f"sqlite:///{database}"}).run()
    assert error.value.where == "feedback.labels.sql" and "data." not in error.value.remedy


def test_a_line_of_the_log_that_is_damaged_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    place = logged(tmp_path)
    folder = place.log / f"{NOON:dt=%Y-%m-%d/hour=%H}"
    line = json.dumps(request(100))
    (folder / "torn.jsonl").write_text(f"{line}\n{line[:40]}\n" + json.dumps({"dropped": -1, "log": 2}) + "\n")
    place.write_labels([{"request": "r100", "outcome": 1}])
    report = place.run()
    assert report.rows == 1 and report.answers.log.damaged == 2


BINARY = {"label_type": pa.string(), "signature": replace(SIGNATURE, classes=("no", "yes"))}
CLASSES = ("blue", "green", "red")
SEVERAL = {
    "label_type": pa.string(),
    "signature": replace(SIGNATURE, task="multiclass_classification", classes=CLASSES),
}


@pytest.mark.parametrize("other", ["YES", "yes ", "maybe", "1", "true"])
def test_labels_of_no_class_of_the_model_are_counted_and_not_used(tmp_path: Path, other: str) -> None:
    place = logged(tmp_path)
    lines = [f'r{number},"{other if number < 10 else "yes"}"' for number in range(60)]
    (place.labels / "a.csv").write_text(HEADER + "\n".join(lines) + "\n")
    report = place.run(**BINARY)
    assert report.labels.bad == {"unknown_class": 10} and report.open == 10
    assert {row["late"] for row in place.rows(1)} == {"yes"} and report.rows == 50


@pytest.mark.parametrize(("no", "yes"), [("NO", "YES"), ("0", "1"), ("False", "True"), ("n", "y")])
def test_labels_that_are_written_otherwise_than_in_training_are_refused(tmp_path: Path, no: str, yes: str) -> None:
    place = logged(tmp_path)
    lines = [f"r{number},{yes if number % 2 else no}" for number in range(60)]
    (place.labels / "a.csv").write_text(HEADER + "\n".join(lines) + "\n")
    with pytest.raises(DataError, match="60 unknown class, the first") as error:
        place.run(**BINARY)
    assert "with the classes 'no', 'yes'" in error.value.remedy and not place.home.exists()


@pytest.mark.parametrize("empty", ["", "  ", "\t", "NA", "N/A", "null", "?"])
def test_a_label_that_is_missing_in_training_is_missing_here(tmp_path: Path, empty: str) -> None:
    place = logged(tmp_path)
    lines = [f'r{number},"{empty if number < 10 else "yes"}"' for number in range(60)]
    (place.labels / "a.csv").write_text(HEADER + "\n".join(lines) + "\n")
    report = place.run(**BINARY)
    assert report.counts["closed"] == 10 and report.rows == 50 and not report.labels.bad


def test_na_is_a_label_where_the_model_has_it_as_a_class(tmp_path: Path) -> None:
    place = logged(tmp_path)
    (place.labels / "a.csv").write_text(HEADER + "".join(f"r{number},NA\n" for number in range(30)))
    report = place.run(**{**BINARY, "signature": replace(SIGNATURE, classes=("NA", "yes"))})
    assert report.rows == 30 and {row["late"] for row in place.rows(1)} == {"NA"}


def test_a_new_class_of_several_is_used_and_counted_unless_most_are_new(tmp_path: Path) -> None:
    place = logged(tmp_path)
    lines = [f"r{number},{'pink' if number < 10 else CLASSES[number % 3]}" for number in range(60)]
    (place.labels / "a.csv").write_text(HEADER + "\n".join(lines) + "\n")
    report = place.run(**SEVERAL)
    assert report.rows == 60 and report.labels.new_classes == {"pink": 10}
    other = logged(tmp_path / "other")
    (other.labels / "a.csv").write_text(HEADER + "\n".join(lines).upper().replace("R", "r") + "\n")
    with pytest.raises(DataError, match="60 of 60 labels are of a class that the champion does not have"):
        other.run(**SEVERAL)


def test_labels_that_a_quote_swallows_are_refused(tmp_path: Path) -> None:
    place = logged(tmp_path)
    lines = [f"r{number},{number % 2}" for number in range(60)]
    lines[1] = 'r1,"1'
    (place.labels / "a.csv").write_text(HEADER + "\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"a\.csv, line 3: quote errors in 59 of 60 rows"):
        place.run()
    assert not place.home.exists()
