import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.project_file import Project, parse_project
from components.ingest.ingest import ingest_examples


def project(source: Path, **data: object) -> Project:
    return parse_project({"name": "p", "task": "regression", "label": "y", "data": {"source": str(source), **data}})


def ingest(folder: Path, source: Path, **data: object) -> tuple[Outcome, str, pa.Table]:
    examples, quarantine = folder / "examples", folder / "quarantine"
    for made in (examples, quarantine):
        made.mkdir(parents=True)
    outcome = ingest_examples(project(source, **data), examples=examples, quarantine=quarantine)
    batches = [batch for split in SPLITS for batch in read_batches(examples, split)]
    return outcome, Manifest.load(examples).fingerprint, pa.Table.from_batches(batches)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_row_becomes_an_example_of_one_split(tmp_path: Path) -> None:
    text = "id,x,word,y\n" + "".join(f"{n},{n / 4},w{n % 5},{n}\n" for n in range(500))
    outcome, _, rows = ingest(tmp_path, write(tmp_path / "t.csv", text))
    assert sorted(rows["id"].to_pylist()) == list(range(500))
    assert [str(kind) for kind in rows.schema.types] == ["int64", "double", "string", "int64"]
    manifest = Manifest.load(tmp_path / "examples")
    assert sum(manifest.rows.values()) == 500
    assert outcome.metrics["rows"] == 500


def test_equal_data_has_the_same_fingerprint_wherever_it_lies(tmp_path: Path) -> None:
    text = "x,y\n1,2\n3,4\n"
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first = ingest(tmp_path / "a", write(tmp_path / "a" / "t.csv", text))[1]
    second = ingest(tmp_path / "b", write(tmp_path / "b" / "other.csv", text))[1]
    third = ingest(tmp_path / "c", write(tmp_path / "c" / "t.csv", text.replace("4", "5")))[1]
    assert first == second != third


def test_missing_cells_are_missing_and_texts_stay_texts(tmp_path: Path) -> None:
    text = 'n,word,day,flag,y\n,"",2013-05-01,true,1\n7,NA,2013-05-02,false,2\n'
    rows = ingest(tmp_path, write(tmp_path / "t.csv", text))[2].to_pylist()
    assert sorted(rows, key=lambda row: row["y"]) == [
        {"n": None, "word": None, "day": "2013-05-01", "flag": "true", "y": 1},
        {"n": 7, "word": "NA", "day": "2013-05-02", "flag": "false", "y": 2},
    ]


def test_whole_numbers_become_real_ones_when_a_later_span_has_such(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", "x,y\n1,0\n2,1\n")
    write(tmp_path / "s-2.csv", "y,x\n0,2.5\n1,3\n")
    rows = ingest(tmp_path, tmp_path / "s-{span}.csv")[2]
    assert str(rows.schema.field("x").type) == "double"
    assert sorted(rows["x"].to_pylist()) == [1.0, 2.0, 2.5, 3.0]


def test_examples_hold_the_numbers_of_a_csv_exactly(tmp_path: Path) -> None:
    text = f"big,real,price,y\n{2**53 + 1},0.1,16777217,1\n,1e-300,0.5,2\n{-(2**63)},,123456789.25,3\n"
    rows = ingest(tmp_path, write(tmp_path / "t.csv", text))[2]
    assert rows.sort_by("y").to_pydict() == {
        "big": [2**53 + 1, None, -(2**63)],
        "real": [0.1, 1e-300, None],
        "price": [16_777_217.0, 0.5, 123_456_789.25],
        "y": [1, 2, 3],
    }
    columns = Manifest.load(tmp_path / "examples").columns
    assert columns == {"big": "int64", "real": "float64", "price": "float64", "y": "int64"}


def test_a_column_that_turns_to_text_in_a_later_span_is_reported_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", "x,y\n1,0\n2,1\n")
    write(tmp_path / "s-2.csv", "x,y\n3,0\noops,1\n")
    with pytest.raises(
        DataError, match=r"s-2\.csv, line 3: 1 of 4 rows cannot be read .* column 'x': 'oops' is not a whole number"
    ):
        ingest(tmp_path, tmp_path / "s-{span}.csv")


def test_a_column_that_is_empty_in_the_first_span_takes_its_type_from_a_later_one(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", "x,y\n,0\n,1\n")
    write(tmp_path / "s-2.csv", "x,y\nred,0\nblue,1\n")
    assert sorted(ingest(tmp_path, tmp_path / "s-{span}.csv")[2]["x"].drop_null().to_pylist()) == ["blue", "red"]


BROKEN = "x,y\n1.5,0\n2.5\n3.5,1\nbad,1\n1e50,2\n4.5,\n5.5,3\n"


def test_unreadable_rows_are_set_aside_with_line_and_reason(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", "x,y\n0.5,0\n")
    write(tmp_path / "s-2.csv", BROKEN)
    outcome, _, rows = ingest(tmp_path, tmp_path / "s-{span}.csv", quarantine_limit=0.9, odd_cells="quarantine")
    assert sorted(rows["x"].to_pylist()) == [0.5, 1.5, 3.5, 5.5]
    lines = [json.loads(line) for line in (tmp_path / "quarantine" / "rows.jsonl").read_text().splitlines()]
    assert sorted((row["line"], row["reason"]) for row in lines) == [
        (3, "1 fields where the header has 2"),
        (5, "column 'x': 'bad' is not a number"),
        (6, "column 'x': '1e50' is infinite or too large (|x| <= 3.4e+38 is allowed)"),
        (7, "the label 'y' is missing"),
    ]
    assert (outcome.verdict, outcome.metrics["quarantined"]) == ("warn", 4)


def test_cells_that_do_not_fit_are_missing_and_counted_by_column_and_value(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", "x,y\n0.5,0\n")
    write(tmp_path / "s-2.csv", BROKEN)
    outcome, _, rows = ingest(tmp_path, tmp_path / "s-{span}.csv", quarantine_limit=0.9)
    assert sorted(rows["x"].drop_null().to_pylist()) == [0.5, 1.5, 3.5, 5.5] and rows["x"].null_count == 2
    (check,) = [check for check in outcome.checks if check.name == "odd cells"]
    assert (check.status, check.measured) == ("warn", 2)
    assert check.reason == "2 cells do not fit their column and are missing: x: '1e50' (1), 'bad' (1)"


def test_no_unreadable_row_is_allowed_by_default(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv, line 3: 1 of 3 rows cannot be read .*(.|\n)*quarantine_limit"):
        ingest(tmp_path, write(tmp_path / "t.csv", "x,y\n1,0\n2\n3,1\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"x,y\n", "has a header and no rows"),
        (b"x,x,y\n1,2,3\n", "duplicate column 'x'"),
        (b"x,Y\n1,2\n", "has no label column 'y'; did you mean 'Y'"),
        (b"x,y\n" + b"\0" * 99, "is not text"),
        (b"PAR1\x15\x04\xbe", "the Parquet footer is missing"),
        (b"PK\x03\x04", "is a spreadsheet or an archive, not CSV"),
        (gzip.compress(b"x,y\n1,2\n", mtime=0)[:-9], "cannot be decompressed as gzip"),
        (b"x;y\n1;2;3\n1\n", "seem to be separated by ';'.*naru new --sep ';'"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"x,y\n1,\n2,\n", "t.csv, line 2: 2 of 2 rows cannot be read .* the label 'y' is missing"),
        (b"x,y\n1.5,1\n1e39,1\n", "t.csv, line 3: .* column 'x': '1e39' is infinite or too large"),
        (b"x,y\n1.5,1\n-inf,1\n", "t.csv, line 3: .* column 'x': '-inf' is infinite or too large"),
    ],
)
def test_a_file_that_is_not_a_table_says_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"(?s){message}") as error:
        ingest(tmp_path, write(tmp_path / "t.csv", content))
    assert not (tmp_path / "examples" / "manifest.json").exists()
    assert "t.csv" in error.value.where
    assert error.value.remedy


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    rows = ingest(tmp_path, write(tmp_path / "t.csv", b"\xef\xbb\xbfx,y\n1,2\n3,4\n"))[2]
    assert rows.schema.names == ["x", "y"]


def test_names_stay_as_they_are_written(tmp_path: Path) -> None:
    names = ["a b", "c/d", "_lead", "üñ", "it's", 'say "x"', "python3", "n" * 200, "{span}", "y"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    rows = ingest(tmp_path, write(tmp_path / "t.csv", f"{header}\n{','.join('1' * 10)}\n"))[2]
    assert rows.schema.names == names


def test_spans_with_other_columns_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "s-1.csv", "x,z,y\n1,1,0\n")
    write(tmp_path / "s-2.csv", "x,w,y\n1,1,0\n")
    with pytest.raises(DataError, match=r"s-2\.csv: columns differ from earlier spans: missing 'z', unexpected 'w'"):
        ingest(tmp_path, tmp_path / "s-{span}.csv")


def test_a_column_named_in_the_project_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.exclude: there is no column 'colour'; did you mean 'color'"):
        ingest(tmp_path, write(tmp_path / "t.csv", "color,y\n1,2\n"), exclude=["colour"])


def test_a_thousand_columns_are_read(tmp_path: Path) -> None:
    header = ",".join([*(f"c{n}" for n in range(1000)), "y"])
    body = "\n".join(",".join(str(n * row) for n in range(1001)) for row in range(20))
    assert ingest(tmp_path, write(tmp_path / "t.csv", f"{header}\n{body}\n"))[2].num_columns == 1001


def test_a_line_break_inside_a_name_is_part_of_it(tmp_path: Path) -> None:
    rows = ingest(tmp_path, write(tmp_path / "t.csv", '"a\nb",y\n1,2\n3,4\n'))[2]
    assert rows.schema.names == ["a\nb", "y"]


def test_rows_stay_in_the_splits_that_they_had_when_examples_were_narrower(tmp_path: Path) -> None:
    """Decimals, gaps, whole numbers beyond 2**53: the splits are those of the versions before, by which champions were trained."""
    lines = ["real,gap,big,amount,word,y"]
    for n in range(80):
        real, amount = f"{(n * 7919 % 997) / 97:.{n % 17}f}", "16777217.0" if n == 4 else n * 1_000_003
        gap, word = "" if n % 3 == 0 else n % 7, "NA" if n % 5 == 0 else f"w{n % 4}"
        lines.append(f"{real},{gap},{2**53 + n},{amount},{word},{n}")
    ingest(tmp_path, write(tmp_path / "t.csv", "\n".join(lines) + "\n"))
    held_out = {
        split: [row for batch in read_batches(tmp_path / "examples", split, ["y"]) for row in batch[0].to_pylist()]
        for split in ("eval", "test")
    }
    assert held_out == {
        "eval": [8, 17, 28, 43, 48, 57, 79],
        "test": [6, 11, 24, 34, 36, 38, 51, 62, 71],
    }
