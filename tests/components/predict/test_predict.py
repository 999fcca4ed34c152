"""Rows in, rows with answers out: complete, once, resumable."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from components._core.errors import ConfigError, DataError
from components._core.examples.reference_rows import Reference
from components._core.store.file_digests import digest_of_model, write_digests
from components._core.types.artifact_files import REFERENCE
from components._core.types.oip_requests import to_request
from components._predictor.predictor import load
from components._predictor.refusals import Refusal
from components.predict import predict
from components.predict.predict import check_answered
from components.predict.versions import ModelVersion
from tests.components.core.store.s3_stub import serving
from tests.components.data.formats.xlsx.workbook import write_workbook
from tests.components.predict.conftest import Versions
from tests.components.predict.made import TASKS, content, read, rejected, run, table
from tests.components.tiny_models import FEATURES
from tests.representatives import representatives

ROWS = 230


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    pq.write_table(table(ROWS), path)
    return path


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "part_rows", lambda columns: 50)


@pytest.mark.parametrize("task", TASKS)
def test_every_row_has_the_answer_that_the_predictor_gives_it_alone(
    task: str, tmp_path: Path, source: Path, versions: Versions
) -> None:
    version = versions(task)
    run(source, tmp_path / "out", version, tmp_path / "store", task=task)
    found, rows = read(tmp_path / "out"), pq.read_table(source)
    assert found.select(rows.column_names).equals(rows)
    predictor = load(version.folder)
    for row in range(ROWS):
        request = to_request(rows.slice(row, 1), FEATURES)
        alone = predictor.predict({item["name"]: item["data"] for item in request["inputs"]})
        for name, values in alone.items():
            answer = found[name][row].as_py()
            same = answer == values[0] if values.dtype == object else np.allclose(answer, values[0], atol=1e-6)
            assert same, (row, name)


def test_a_row_has_its_version_and_an_id_of_its_own(tmp_path: Path, source: Path, versions: Versions) -> None:
    run(source, tmp_path / "out.parquet", versions(), tmp_path / "store")
    found = read(tmp_path / "out.parquet")
    assert set(found["model_version"].to_pylist()) == {"7"}
    assert len(set(zip(found["request_id"].to_pylist(), found["request_row"].to_pylist(), strict=True))) == ROWS


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_every_format_holds_the_same_rows(
    name: str, tmp_path: Path, source: Path, versions: Versions, small_parts: None
) -> None:
    version, store = versions("multiclass_classification"), tmp_path / "store"
    task = "multiclass_classification"
    run(source, tmp_path / "all", version, store, task=task)
    run(source, tmp_path / name, version, store, task=task)
    run(source, tmp_path / "parts", version, store, task=task, format=name.partition(".")[2])
    wanted = read(tmp_path / "all").to_pylist()
    for output in (tmp_path / name, tmp_path / "parts"):
        found = read(output).to_pylist()
        if name == "out.csv":
            found = [{**row, "probabilities": json.loads(row["probabilities"])} for row in found]
        assert len(found) == len(wanted) == ROWS
        for row, same in zip(found, wanted, strict=True):
            assert row.pop("probabilities") == pytest.approx(same["probabilities"], rel=1e-6)
            assert row == {key: value for key, value in same.items() if key != "probabilities"}


def test_the_parts_are_a_table_that_can_be_read_again(
    tmp_path: Path, source: Path, versions: Versions, small_parts: None
) -> None:
    run(source, tmp_path / "once", versions(), tmp_path / "store")
    done = run(tmp_path / "once", tmp_path / "twice", versions(), tmp_path / "store", prefix="again_")
    found = read(tmp_path / "twice")
    assert done.manifest["answered"] == ROWS
    assert found["probability"].to_pylist() == found["again_probability"].to_pylist()


def test_a_column_that_an_added_one_would_cover_is_refused(tmp_path: Path, source: Path, versions: Versions) -> None:
    run(source, tmp_path / "once", versions(), tmp_path / "store")
    with pytest.raises(ConfigError, match="'probability', 'model_version'"):
        run(tmp_path / "once", tmp_path / "twice", versions(), tmp_path / "store")
    assert not (tmp_path / "twice").exists()


# formats and sources

CELLS: dict[str, list[Any]] = {
    "flight": ["007", "12", "x"],
    "delay": [1.5, None, -3.25],
    "month": [1, 2, 12],
    "carrier": ["AA", "7", "BB"],
    "noise": [0.5, 0.25, 0.75],
}


def _write_csv(path: Path) -> None:
    path.write_text("flight,delay,month,carrier,noise\n007,1.5,1,AA,0.5\n12,,2,7,0.25\nx,-3.25,12,BB,0.75\n")


def _write_parquet(path: Path) -> None:
    pq.write_table(pa.table(CELLS), path)


def _write_arrow(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.table(CELLS).schema) as writer:
        writer.write_table(pa.table(CELLS))


def _write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in pa.table(CELLS).to_pylist()))


def _write_xlsx(path: Path) -> None:
    rows = [list(row.values()) for row in pa.table(CELLS).to_pylist()]
    write_workbook(path, {"table": [list(CELLS), *rows]})


def _write_avro(path: Path) -> None:
    import fastavro

    kinds = {"flight": "string", "delay": ["null", "double"], "month": "long", "carrier": "string", "noise": "double"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    with path.open("wb") as stream:
        schema = fastavro.parse_schema({"type": "record", "name": "row", "fields": fields})
        fastavro.writer(stream, schema, pa.table(CELLS).to_pylist())


def _write_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (flight TEXT, delay REAL, month INTEGER, carrier TEXT, noise REAL)")
        rows = [tuple(row.values()) for row in pa.table(CELLS).to_pylist()]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()


WRITERS = {
    "t.csv": _write_csv,
    "t.parquet": _write_parquet,
    "t.arrow": _write_arrow,
    "t.jsonl": _write_jsonl,
    "t.xlsx": _write_xlsx,
    "t.avro": _write_avro,
    "t.db": _write_sqlite,
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, versions: Versions) -> list[float]:
    predictor = load(versions().folder)
    answers = predictor.predict({name: values for name, values in CELLS.items() if name != "flight"})
    return [float(value) for value in answers["probability"]]


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_answers(
    name: str, tmp_path: Path, versions: Versions, expected: list[float]
) -> None:
    WRITERS[name](tmp_path / name)
    source = f"sqlite:///{tmp_path / name}" if name == "t.db" else tmp_path / name
    data = {"sql": {"table": "t"}} if name == "t.db" else {}
    run(source, tmp_path / "out", versions(), tmp_path / "store", data=data)
    found = read(tmp_path / "out")
    assert found["probability"].to_pylist() == pytest.approx(expected)
    assert found["flight"].to_pylist() == CELLS["flight"]


def test_a_short_csv_is_read_as_the_model_takes_it(tmp_path: Path, versions: Versions) -> None:
    """One row of `7` says nothing of a column that is text to the model."""
    (tmp_path / "one.csv").write_text("delay,month,carrier,noise,note\n1,1,7,1,n/a\n")
    done = run(tmp_path / "one.csv", tmp_path / "out.csv", versions(), tmp_path / "store")
    assert done.manifest["rejected"] == 0
    assert read(tmp_path / "out.csv")["carrier"].to_pylist() in (["7"], [7])


# rejected rows

MALFORMED = """flight,delay,month,carrier,noise
a,1.0,1,AA,0.5
b,oops,1,AA,0.5
c,1.0,,AA,0.5
d,1.0,2.5,AA,0.5
e,1e39,1,AA,0.5
f,1.0,1,,0.5
g,1.0,1,AA,0.5,0.7
h,,1,BB,0.5
i,1.0,1,AA,x
"""


def test_rejected_rows_have_their_place_and_the_codes_of_the_server(tmp_path: Path, versions: Versions) -> None:
    (tmp_path / "bad.csv").write_text(MALFORMED)
    done = run(tmp_path / "bad.csv", tmp_path / "out.csv", versions(), tmp_path / "store")
    found = {row["row"]: row["code"] for row in rejected(tmp_path / "out.csv")}
    assert found == {
        3: "wrong_type",
        4: "missing_feature",
        5: "wrong_type",
        6: "not_finite",
        7: "missing_feature",
        8: "unreadable",
        10: "wrong_type",
    }
    assert read(tmp_path / "out.csv")["flight"].to_pylist() == ["a", "h"]
    assert (done.manifest["answered"], done.manifest["rejected"]) == (2, 7)
    assert sum(done.manifest["rejected_by_code"].values()) == 7


def test_the_codes_are_those_of_the_predictor_for_each_row_alone(tmp_path: Path, versions: Versions) -> None:
    random = np.random.default_rng(5)
    rows = []
    for number in range(300):
        row: dict[str, Any] = {"n": number, "delay": 1.0, "month": 3, "carrier": "AA", "noise": 0.5}
        name = ("delay", "month", "carrier", "noise")[random.integers(4)]
        row[name] = ([None, 1e300, 2.0], [None, 2.5, 9.0], [None, ""], [None, -1.0])[
            ("delay", "month", "carrier", "noise").index(name)
        ][random.integers(2)]
        rows.append(row)
    whole = pa.Table.from_pylist(rows)
    pq.write_table(whole, tmp_path / "t.parquet")
    run(tmp_path / "t.parquet", tmp_path / "out", versions(), tmp_path / "store")
    predictor, codes = load(versions().folder), {}
    for row in rows:
        month = row["month"]
        alone = {**row, "month": int(month) if month is not None and float(month).is_integer() else month}
        try:
            predictor.predict({name: [value] for name, value in alone.items() if name != "n"})
        except Refusal as refusal:
            codes[row["n"] + 1] = refusal.code
    assert {row["row"]: row["code"] for row in rejected(tmp_path / "out")} == codes
    assert len(set(codes.values())) == 3
    assert read(tmp_path / "out")["n"].to_pylist() == [row["n"] for row in rows if row["n"] + 1 not in codes]


def test_a_model_that_fails_on_some_rows_answers_the_others(tmp_path: Path) -> None:
    from tests.components.predict.failing import write_divider

    version = ModelVersion("1", write_divider(tmp_path / "model"), "")
    rows = pa.table({"amount": [1.0, 2.0, 3.0, 4.0], "duration": [1, 0, 2, 0]})
    pq.write_table(rows, tmp_path / "t.parquet")
    run(tmp_path / "t.parquet", tmp_path / "out", version, tmp_path / "store", task="regression")
    assert read(tmp_path / "out")["prediction"].to_pylist() == [1.0, 1.5]
    assert [(row["row"], row["code"]) for row in rejected(tmp_path / "out")] == [
        (2, "model_failed"),
        (4, "model_failed"),
    ]


def test_a_table_without_a_required_feature_is_refused_before_anything_is_written(
    tmp_path: Path, versions: Versions
) -> None:
    pq.write_table(table(5).rename_columns(["flight", "delay", "mnth", "carrier", "noise"]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"no column 'month'.*did you mean 'mnth'"):
        run(tmp_path / "t.parquet", tmp_path / "out", versions(), tmp_path / "store")
    assert not (tmp_path / "out").exists()


def test_a_feature_that_may_be_missing_is_said_to_be_missing(tmp_path: Path, versions: Versions) -> None:
    pq.write_table(table(5).rename_columns(["flight", "dely", "month", "carrier", "noise"]), tmp_path / "t.parquet")
    done = run(tmp_path / "t.parquet", tmp_path / "out", versions(), tmp_path / "store")
    assert done.notes == ["the table has no column 'delay': it is missing in every row; did you mean 'dely'?"]


def test_a_batch_without_an_answer_is_an_error_and_its_rows_are_there(tmp_path: Path, versions: Versions) -> None:
    (tmp_path / "t.csv").write_text("delay,month,carrier,noise\n1,,AA,1\n1,,AA,1\n")
    done = run(tmp_path / "t.csv", tmp_path / "out.csv", versions(), tmp_path / "store")
    with pytest.raises(DataError, match=r"no row was answered: 2 rejected \(missing_feature 2\)"):
        check_answered(done)
    assert len(rejected(tmp_path / "out.csv")) == 2 and not (tmp_path / "out.csv").exists()
    assert run(tmp_path / "t.csv", tmp_path / "out.csv", versions(), tmp_path / "store").was_complete


def test_an_empty_table_is_refused(tmp_path: Path, versions: Versions) -> None:
    pq.write_table(table(0), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="has no rows"):
        run(tmp_path / "t.parquet", tmp_path / "out", versions(), tmp_path / "store")


# labels and thresholds


def test_labels_give_metrics_of_the_rows_that_have_one(tmp_path: Path, versions: Versions) -> None:
    from sklearn.metrics import roc_auc_score

    labels = np.random.default_rng(3).integers(0, 2, ROWS)
    known = np.arange(ROWS) % 5 > 0
    rows = table(ROWS).append_column("y", pa.array(labels, mask=~known))
    pq.write_table(rows, tmp_path / "t.parquet")
    done = run(tmp_path / "t.parquet", tmp_path / "out", versions(), tmp_path / "store")
    found = read(tmp_path / "out")
    assert found.num_rows == ROWS and found["y"].equals(rows["y"])
    scores = found["probability"].to_numpy()
    assert done.manifest["labelled"] == done.manifest["measured"] == known.sum()
    assert done.manifest["metrics"]["auc"] == pytest.approx(roc_auc_score(labels[known], scores[known]), abs=1e-6)


def test_an_odd_label_in_a_csv_rejects_no_row(tmp_path: Path, versions: Versions) -> None:
    lines = [f"{n / 8},3,AA,0.5,{n / 4}" for n in range(60)]
    lines[7] = "1,3,AA,0.5,pending"
    (tmp_path / "t.csv").write_text("\n".join(["delay,month,carrier,noise,y", *lines]) + "\n")
    done = run(tmp_path / "t.csv", tmp_path / "out.csv", versions("regression"), tmp_path / "store", task="regression")
    assert (done.manifest["answered"], done.manifest["labelled"]) == (60, 59)
    assert "pending" in (tmp_path / "out.csv").read_text()


def test_the_threshold_of_the_model_decides(tmp_path: Path, source: Path, versions: Versions) -> None:
    folder = shutil.copytree(versions().folder, tmp_path / "model")
    Reference(threshold=0.3).save(folder / REFERENCE)
    write_digests(folder)
    version = ModelVersion("2", folder, digest_of_model(folder))
    done = run(source, tmp_path / "out", version, tmp_path / "store")
    found = read(tmp_path / "out")
    assert done.manifest["threshold"] == 0.3
    assert found["decision"].to_pylist() == ["1" if p >= 0.3 else "0" for p in found["probability"].to_pylist()]


# once, whatever happens


def test_a_second_run_does_nothing(tmp_path: Path, source: Path, versions: Versions, small_parts: None) -> None:
    for output in (tmp_path / "out", tmp_path / "one.csv"):
        first = run(source, output, versions(), tmp_path / "store")
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        second = run(source, output, versions(), tmp_path / "store")
        assert not first.was_complete and second.was_complete
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not list((tmp_path / "store" / "tiny" / "predictions").iterdir())


@pytest.mark.parametrize("name", ["out", "out.csv"])
def test_other_rows_or_versions_need_to_be_told_to_replace(
    name: str, tmp_path: Path, source: Path, versions: Versions
) -> None:
    run(source, tmp_path / name, versions(), tmp_path / "store")
    other = ModelVersion("8", versions().folder, versions().digest)
    with pytest.raises(ConfigError, match="predictions of version 7 of tiny"):
        run(source, tmp_path / name, other, tmp_path / "store")
    run(source, tmp_path / name, other, tmp_path / "store", replace=True)
    assert {str(value) for value in read(tmp_path / name)["model_version"].to_pylist()} == {"8"}
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_of_other_files_is_never_replaced(
    replace: bool, tmp_path: Path, source: Path, versions: Versions
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="something else is there"):
        run(source, tmp_path / "out", versions(), tmp_path / "store", replace=replace)
    assert content(tmp_path / "out") == {"mine.txt": b"keep"}


def test_the_source_is_never_the_output(tmp_path: Path, source: Path, versions: Versions) -> None:
    with pytest.raises(ConfigError, match="is a file of the source"):
        run(source, source, versions(), tmp_path / "store", replace=True)


def test_a_database_that_is_read_is_never_the_output(tmp_path: Path, versions: Versions) -> None:
    _write_sqlite(tmp_path / "t.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "t.db")
    before = (tmp_path / "t.db").read_bytes()
    source, data = f"sqlite:///{tmp_path / 't.db'}", {"sql": {"table": "t"}}
    for name in ("t.db", "link.db"):
        with pytest.raises(ConfigError, match="is the database of the source"):
            run(source, f"sqlite:///{tmp_path / name}", versions(), tmp_path / "store", data=data, table="answers")
    assert (tmp_path / "t.db").read_bytes() == before


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("name", representatives(["out", "out.csv", "out.parquet"], "out"))
@pytest.mark.parametrize("is_after", [False, True])
def test_killed_at_any_write_the_next_run_ends_with_the_same_bytes(
    name: str, is_after: bool, tmp_path: Path, versions: Versions, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file gets its name by a rename: the process ends before or after one of them, one after the other."""
    lines = csv_of(table(130).append_column("y", pa.array([n % 2 for n in range(130)]))).splitlines()
    lines[40] = lines[40].replace(",", ",oops", 1)
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    run(tmp_path / "t.csv", tmp_path / "clean" / name, versions(), tmp_path / "store")
    wanted, replace, kills = content(tmp_path / "clean"), os.replace, 0
    while True:
        left = kills

        def dying(*arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0 and not is_after:
                raise KilledError
            replace(*arguments)
            if left < 0:
                raise KilledError

        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        (tmp_path / "killed").mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying)
            try:
                run(tmp_path / "t.csv", tmp_path / "killed" / name, versions(), tmp_path / "store")
                break
            except KilledError:
                kills += 1
        run(tmp_path / "t.csv", tmp_path / "killed" / name, versions(), tmp_path / "store")
        assert content(tmp_path / "killed") == wanted
        assert not list((tmp_path / "store" / "tiny" / "predictions").iterdir())
    assert kills > 10


def csv_of(rows: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    csv.write_csv(rows, sink)
    return sink.getvalue().to_pybytes().decode()


def test_complete_parts_are_not_answered_again(
    tmp_path: Path, source: Path, versions: Versions, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[int] = []
    original = predict.Answerer.answer

    def counting(self: Any, part: Any) -> Any:
        if part.number == 3 and 3 not in answered:
            answered.append(part.number)
            raise KilledError
        answered.append(part.number)
        return original(self, part)

    monkeypatch.setattr(predict.Answerer, "answer", counting)
    with pytest.raises(KilledError):
        run(source, tmp_path / "out", versions(), tmp_path / "store")
    run(source, tmp_path / "out", versions(), tmp_path / "store")
    assert answered == [0, 1, 2, 3, 3, 4]


def test_a_killed_batch_of_rows_that_have_changed_since_leaves_nothing(
    tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(self: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(predict.ScoringTable, "check_unchanged", dying)
        with pytest.raises(KilledError):
            run(source, tmp_path / "out", versions(), tmp_path / "store")
    pq.write_table(table(ROWS, 2), source)
    run(source, tmp_path / "out", versions(), tmp_path / "store")
    assert not list((tmp_path / "store" / "tiny" / "predictions").iterdir())


def test_a_source_that_changes_meanwhile_is_noticed(
    tmp_path: Path, source: Path, versions: Versions, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = predict.Answerer.answer

    def touching(self: Any, part: Any) -> Any:
        os.utime(source)
        return original(self, part)

    monkeypatch.setattr(predict.Answerer, "answer", touching)
    with pytest.raises(DataError, match="changed while it was read"):
        run(source, tmp_path / "out", versions(), tmp_path / "store")
    assert not (tmp_path / "out").exists()


# object stores


@pytest.mark.parametrize("name", ["answers", "answers.parquet"])
def test_s3_in_s3_out(
    name: str, tmp_path: Path, source: Path, versions: Versions, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, tmp_path / name, versions(), tmp_path / "store")
    with serving("atomic") as s3:
        for key, value in s3.environment.items():
            monkeypatch.setenv(key, value)
        s3.objects["/bucket/in/rows.parquet"] = (source.read_bytes(), 0.0)
        uri = f"s3://bucket/out/{name}"
        first = run("s3://bucket/in/rows.parquet", uri, versions(), "s3://bucket/store")
        second = run("s3://bucket/in/rows.parquet", uri, versions(), "s3://bucket/store")
        held = {key: value[0] for key, value in s3.objects.items() if key.startswith("/bucket/out/")}
    assert not first.was_complete and second.was_complete
    assert first.manifest["answered"] == ROWS
    local = content(tmp_path / name) if name == "answers" else {}
    assert len(held) == (len(local) if local else 2)
    parts = [value for key, value in sorted(held.items()) if key.endswith(".parquet")]
    found = pa.concat_tables([pq.read_table(pa.BufferReader(part)) for part in parts])
    assert found["probability"].to_pylist() == read(tmp_path / name)["probability"].to_pylist()
