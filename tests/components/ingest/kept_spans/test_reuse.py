"""What reuse gives is what reading gives, byte for byte; and only what changed is read."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from components._core.checks import Outcome
from components._core.errors import DataError
from components._core.files import fingerprint_folder
from components._core.project.project_file import parse_project
from components._core.store.object_store import put
from components._data.sources.contract import SpanFile
from components.ingest.ingest import ingest_examples
from tests.components.core.store.s3_stub import serving
from tests.components.data.formats.xlsx.workbook import write_workbook

ROWS = 200
SPLITS: dict[str, Any] = {
    "hash": {},
    "group": {"by": ["who"]},
    "time": {"method": "time", "by": "day"},
    "stratified": {"method": "stratified"},
    "given": {"method": "given", "by": "fold"},
    "given, without eval": {"method": "given", "by": "part"},
}


def table(span: int, rows: int = ROWS) -> pa.Table:
    """Rows whose times are in no order, some beside those of other spans."""
    place = [(7 * n) % rows for n in range(rows)]
    return pa.table(
        {
            "who": [f"w{n % 23}" for n in place],
            "x": [None if n % 11 == 5 else n / 8 + span for n in place],
            "n": [n * span for n in place],
            "day": [f"2024-{span:02d}-{1 + n % 28:02d}" for n in place],
            "fold": [("train", "eval", "test")[n % 3] for n in place],
            "part": [("train", "test")[n % 2] for n in place],
            "y": [n // 5 % 2 for n in place],
        }
    )


def write(folder: Path, span: int, rows: int = ROWS, extra: str = "") -> None:
    path = folder / f"t-{span}.csv"
    pyarrow.csv.write_csv(table(span, rows), path)
    path.write_text(path.read_text() + extra)


class Runs:
    """Runs of ingest over the same spans, with a store and without one."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.data = folder / "data"
        self.store: Path | str = folder / "store"
        self.data.mkdir()
        self._folder, self._patch, self._count = folder, patch, 0
        self.opened: list[str] = []
        open_file = SpanFile.open

        def watched(file: SpanFile) -> Any:
            self.opened.append(file.name)
            return open_file(file)

        patch.setattr(SpanFile, "open", watched)

    def run(self, store: bool = True, name: str = "t-{span}.csv", **data: Any) -> tuple[str, Outcome]:
        """The digest of all that ingest leaves, and its outcome without what is said of spans."""
        self._patch.setenv("NARU_STORE", str(self.store)) if store else self._patch.delenv("NARU_STORE", raising=False)
        self._count += 1
        made = self._folder / str(self._count)
        for part in ("examples", "quarantine"):
            (made / part).mkdir(parents=True)
        self.opened.clear()
        raw = {"name": "p", "task": "binary_classification", "label": "y", "positive": "1"}
        project = parse_project({**raw, "data": {"source": str(self.data / name), **data}})
        outcome = ingest_examples(project, examples=made / "examples", quarantine=made / "quarantine")
        return fingerprint_folder(made), outcome

    def same_as_reading(self, **data: Any) -> str:
        """Run with the store and without it; the results must be equal. Returns what is said of spans."""
        found, outcome = self.run(**data)
        opened = list(self.opened)
        expected, fresh = self.run(store=False, **data)
        self.opened[:] = opened
        assert found == expected
        assert (outcome.checks, outcome.metrics) == (fresh.checks, fresh.metrics)
        said = [part for part in outcome.reason.split("; ") if part not in fresh.reason.split("; ")]
        assert [part for part in outcome.reason.split("; ") if part not in said] == fresh.reason.split("; ")
        return "; ".join(said)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(tmp_path, monkeypatch)
    for span in range(1, 5):
        write(made.data, span)
    return made


@pytest.mark.parametrize("split", SPLITS)
def test_a_corrected_and_a_new_span_give_what_reading_all_gives(runs: Runs, split: str) -> None:
    assert runs.same_as_reading(split=SPLITS[split]) == ("" if split != "stratified" else ALL_READ)
    write(runs.data, 3, rows=ROWS + 40)
    write(runs.data, 5)
    said = runs.same_as_reading(split=SPLITS[split])
    if split == "stratified":
        assert said == ALL_READ
        return
    again = {"time": " (1 split again)"}.get(split, "")
    assert said == f"spans: 3 reused{again}, 2 read (3: corrected; 5: new)"
    assert set(runs.opened) <= {"t-1.csv", "t-3.csv", "t-5.csv"}  # the first file's beginning says its format
    write(runs.data, 6)
    runs.same_as_reading(split=SPLITS[split])
    assert set(runs.opened) <= {"t-1.csv", "t-6.csv"}


ALL_READ = "spans: all read: the split goes by the cells of every row"


def test_other_shares_of_a_split_by_time_split_kept_spans_again(runs: Runs) -> None:
    runs.same_as_reading(split=SPLITS["time"])
    shares = {**SPLITS["time"], "train": 0.3, "eval": 0.4, "test": 0.3}
    assert runs.same_as_reading(split=shares) == "spans: 4 reused (3 split again), 0 read"
    assert runs.same_as_reading(split=shares) == "spans: 4 reused, 0 read"
    assert runs.opened == ["t-1.csv"]


@pytest.mark.slow
def test_a_batch_of_more_rows_than_a_row_group_is_split_again(runs: Runs) -> None:
    for span in (1, 2):
        lines = "".join(f"{(7 * n) % 9},{n // 5 % 2}\n" for n in range(1_200_000))
        (runs.data / f"b-{span}.csv").write_text("t,y\n" + lines)
    runs.same_as_reading(name="b-{span}.csv", split={"method": "time", "by": "t"})
    shares = {"method": "time", "by": "t", "train": 0.3, "eval": 0.4, "test": 0.3}
    assert runs.same_as_reading(name="b-{span}.csv", split=shares) == "spans: 2 reused (2 split again), 0 read"


def test_an_unchanged_source_is_read_no_further_than_the_beginning_of_its_first_file(runs: Runs) -> None:
    runs.same_as_reading()
    assert runs.same_as_reading() == "spans: 4 reused, 0 read"
    assert runs.opened == ["t-1.csv"]


def test_other_spans_of_the_same_files_are_reused(runs: Runs) -> None:
    runs.same_as_reading(spans="2-3")
    assert runs.same_as_reading(spans="all") == "spans: 2 reused, 2 read (1: not read before; 4: new)"


@pytest.mark.parametrize(
    ("data", "is_reused"),
    [
        ({"quarantine_limit": 0.5}, True),
        ({"exclude": ["n"], "exclusion_reasons": {"n": "why"}}, False),
        ({"columns": {"n": {"type": "text"}}}, False),
        ({"odd_cells": "quarantine"}, False),
        ({"split": {"train": 0.5, "eval": 0.25, "test": 0.25}}, False),
        ({"split": {"by": "who"}}, False),
        ({"csv": {"encoding": "cp1252"}}, False),
        ({"checks": {"columns": {"n": {"min": 0}}}}, True),
        ({"rows": {"drop": [{"column": "n", "above": 500}]}}, False),
    ],
)
def test_a_change_of_what_decides_reading_reads_all(runs: Runs, data: dict[str, Any], is_reused: bool) -> None:
    runs.same_as_reading()
    said = runs.same_as_reading(**data)
    changed = "spans: 0 reused, 4 read (1-4: the settings of data, the split or Naru changed)"
    assert said == ("spans: 4 reused, 0 read" if is_reused else changed)


def test_rows_set_aside_and_odd_cells_of_reused_spans_are_counted_and_listed(runs: Runs) -> None:
    for span in (1, 2):
        bad = '"w1",1,1,"2024-01-01","train","train"\n"w1",odd,1,"2024-01-01","eval","test",1\n\n"w",,,,,,\n'
        write(runs.data, span, extra=bad)
    runs.same_as_reading(quarantine_limit=0.1)
    write(runs.data, 4, rows=ROWS + 1)
    assert "3 reused, 1 read (4: corrected)" in runs.same_as_reading(quarantine_limit=0.1)
    with pytest.raises(DataError, match=r"4 of .* rows cannot be read"):
        runs.run()


DROPPED = {"drop": [{"column": "n", "below": 30}, {"column": "x", "missing": True}, {"column": "n", "above": 700}]}


@pytest.mark.parametrize("split", ["hash", "time", "given, without eval"])
def test_rows_left_out_of_reused_spans_are_counted_by_rule(runs: Runs, split: str) -> None:
    data = {"rows": DROPPED, "split": SPLITS[split]}
    runs.same_as_reading(**data)
    write(runs.data, 3, rows=ROWS + 40)
    assert "3 reused" in runs.same_as_reading(**data)
    first = {check.name: check.measured for check in runs.run(**data)[1].checks if "left out" in check.name}
    assert list(first) == [f"rows left out: {name}" for name in ("n below 30", "x missing", "n above 700")]
    assert all(first.values())
    other = {**data, "rows": {"drop": DROPPED["drop"][:2]}}
    assert runs.same_as_reading(**other).startswith("spans: 0 reused, 4 read")


def test_equal_rows_are_looked_for_in_all_spans_so_all_are_read(runs: Runs) -> None:
    def copies() -> float | None:
        return next(check.measured for check in runs.run(**data)[1].checks if check.name == "rows left out: equal rows")

    data = {"rows": {"dedupe": True}}
    said = "spans: all read: data.rows.dedupe compares the rows of all of them"
    shutil.copy(runs.data / "t-1.csv", runs.data / "t-2.csv")
    runs.same_as_reading()
    assert runs.same_as_reading(**data) == said
    assert copies() == ROWS
    write(runs.data, 1, rows=ROWS - 50)
    assert runs.same_as_reading(**data) == said
    assert copies() == ROWS - 50  # rows that only span 2 has now are kept
    assert runs.same_as_reading() == "spans: 3 reused, 1 read (1: corrected)"


def test_a_later_span_that_changes_a_type_has_the_earlier_ones_read_again(runs: Runs) -> None:
    runs.same_as_reading()
    path = runs.data / "t-4.csv"
    path.write_text(path.read_text().replace(",4,", ",4.5,"))
    assert "0 reused, 4 read" in runs.same_as_reading()


def test_a_file_that_is_written_again_with_the_same_content_is_no_correction(runs: Runs) -> None:
    runs.same_as_reading()
    write(runs.data, 2)
    assert runs.same_as_reading() == "spans: 3 reused, 1 read (2: written again with the same content)"


def truncate(path: Path) -> None:
    replace(path, path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    replace(path, bytes(content))


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # a run's own examples are linked to it
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink], ids=["truncated", "flipped", "missing"])
@pytest.mark.parametrize("name", ["entry", "train.parquet", "rejects.jsonl"])
@pytest.mark.parametrize("split", ["hash", "time"])
def test_a_damaged_or_missing_kept_span_is_read_and_reported(
    runs: Runs, damage: Callable[[Path], None], name: str, split: str
) -> None:
    (runs.data / "t-3.csv").write_text((runs.data / "t-3.csv").read_text() + ",,,,,,\n")
    data = {"quarantine_limit": 0.1, "split": SPLITS[split]}
    runs.same_as_reading(**data)
    kept = next(
        path
        for path in (Path(runs.store) / "p" / "spans").glob(f"*/{name}")
        if '"span": 3' in (path.parent / "entry").read_text()
    )
    damage(kept)
    assert "3 reused, 1 read (3: its kept rows are missing or damaged)" in runs.same_as_reading(**data)
    assert "4 reused, 0 read" in runs.same_as_reading(**data)


def test_a_damaged_index_has_all_read(runs: Runs) -> None:
    runs.same_as_reading()
    for index in (Path(runs.store) / "p" / "spans").glob("index-*"):
        index.write_bytes(gzip.compress(b"[1]"))
    assert runs.same_as_reading() == ""


def test_entries_that_no_recent_run_used_are_removed(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.ingest.kept_spans.store._UNFINISHED_SECONDS", 0)
    for rows in range(ROWS, ROWS + 12):
        write(runs.data, 4, rows=rows)
        runs.run()
    kept = [path.name for path in (Path(runs.store) / "p" / "spans").iterdir()]
    assert len([name for name in kept if name.startswith("index-")]) == 5
    assert len([name for name in kept if not name.startswith("index-")]) == 3 + 5
    assert runs.same_as_reading() == "spans: 4 reused, 0 read"


def test_a_store_that_cannot_be_written_does_not_end_the_run(runs: Runs) -> None:
    Path(runs.store).write_text("a file")
    assert runs.same_as_reading().startswith("spans: what was read cannot be kept: ")


def test_a_file_that_changes_while_it_is_read_is_not_kept(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def reopened(self: Any, *given: Any) -> None:
        original(self, *given)
        (runs.data / "t-2.csv").touch()

    from components.ingest.span_writer import SpanWriter

    original = SpanWriter.write
    monkeypatch.setattr(SpanWriter, "write", reopened)
    runs.run()
    monkeypatch.setattr(SpanWriter, "write", original)
    assert "3 reused, 1 read (2: " in runs.same_as_reading()


def test_a_source_of_one_file_keeps_nothing(runs: Runs) -> None:
    assert runs.same_as_reading(name="t-1.csv") == ""
    assert not Path(runs.store).exists()


def write_avro(path: Path, rows: pa.Table) -> None:
    fields = [
        {"name": name, "type": ["null", AVRO[str(kind)]]}
        for name, kind in zip(rows.column_names, rows.schema.types, strict=True)
    ]
    with path.open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, rows.to_pylist())


AVRO = {"string": "string", "double": "double", "int64": "long"}


def write_jsonl(path: Path, rows: pa.Table) -> None:
    path.write_text("".join(json.dumps({**row, "deep": {"x": row["n"]}}) + "\n" for row in rows.to_pylist()))


def write_arrow(path: Path, rows: pa.Table) -> None:
    with pa.ipc.new_stream(str(path), rows.schema) as stream:
        stream.write_table(rows)


def write_xlsx(path: Path, rows: pa.Table) -> None:
    write_workbook(path, {"table": [rows.column_names, *(list(row.values()) for row in rows.to_pylist())]})


def write_parquet(path: Path, rows: pa.Table) -> None:
    pq.write_table(rows.set_column(2, "n", rows["n"].cast(pa.uint64())), path, row_group_size=64)


def write_cp949(path: Path, rows: pa.Table) -> None:
    names = ",".join(rows.column_names)
    text = "".join(
        ",".join("" if cell is None else str(cell) for cell in row.values()) + "\n" for row in rows.to_pylist()
    )
    many = text * 30  # the first bytes that are looked at are ASCII
    path.write_bytes(f"{names}\n{many}{text.replace('w1,', '서울 시청,')}".encode("cp949"))


def write_r(path: Path, rows: pa.Table) -> None:
    """As R's write.table: the rows have names, for which the header has none."""
    lines = [",".join(f'"{name}"' for name in rows.column_names)]
    for number, row in enumerate(rows.to_pylist()):
        texts = ["" if cell is None else str(cell).replace("w1", "Zoë, Öl") for cell in row.values()]
        lines.append(",".join([f'"r{number}"', *(f'"{text}"' for text in texts)]))
    path.write_bytes("".join(f"{line}\n" for line in lines).encode("cp1252"))


def write_tfrecord(path: Path, rows: pa.Table) -> None:
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    from tests.components.data.formats.tfrecord.test_tfrecord import frame

    columns = [[None if value is None else [value] for value in column.to_pylist()] for column in rows.columns]
    kinds = [
        pa.binary() if pa.types.is_string(kind) else pa.float32() if pa.types.is_floating(kind) else kind
        for kind in rows.schema.types
    ]
    arrays = [pa.array(column, pa.list_(kind)) for column, kind in zip(columns, kinds, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, names=rows.column_names)
    path.write_bytes(b"".join(map(frame, RecordBatchToExamplesEncoder().encode(batch))))


@pytest.mark.parametrize(
    "write_file",
    [write_avro, write_jsonl, write_arrow, write_xlsx, write_parquet, write_cp949, write_r, write_tfrecord],
    ids=lambda f: f.__name__[6:],
)
@pytest.mark.parametrize("split", ["hash", "time"])
def test_every_format(runs: Runs, write_file: Callable[[Path, pa.Table], None], split: str) -> None:
    shutil.rmtree(runs.data)
    runs.data.mkdir()
    for span in range(1, 5):
        write_file(runs.data / f"u-{span}", table(span, 60))
    data = {"name": "u-{span}", "split": SPLITS[split]}
    runs.same_as_reading(**data)
    write_file(runs.data / "u-2", table(2, 80))
    said = runs.same_as_reading(**data)
    assert said.startswith("spans: 3 reused") and said.endswith(", 1 read (2: corrected)")
    assert set(runs.opened) <= {"u-1", "u-2"}


@pytest.mark.slow
def test_a_store_in_s3(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("atomic") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        runs.store = "s3://bucket/store"
        for split in ("hash", "time"):
            runs.same_as_reading(split=SPLITS[split])
            write(runs.data, 3, rows=ROWS + 3 + len(split))
            assert "3 reused" in runs.same_as_reading(split=SPLITS[split])
        kept = next(key for key in server.objects if key.endswith("/train.parquet"))
        for key in [key for key in server.objects if key.endswith("/train.parquet")]:
            server.objects[key] = (server.objects[kept][0][:-9], 0.0)
        said = "spans: 0 reused, 4 read (1-4: its kept rows are missing or damaged)"
        assert runs.same_as_reading(split=SPLITS["time"]) == said


@pytest.mark.slow
def test_a_source_in_s3(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("atomic") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for span in range(1, 5):
            put((runs.data / f"t-{span}.csv").read_bytes(), f"s3://bucket/t-{span}.csv")
        runs.same_as_reading(source="s3://bucket/t-{span}.csv")
        put((runs.data / "t-2.csv").read_bytes()[:-1], "s3://bucket/t-2.csv")
        assert runs.same_as_reading(source="s3://bucket/t-{span}.csv") == "spans: 3 reused, 1 read (2: corrected)"
        assert set(runs.opened) == {"t-1.csv", "t-2.csv"}


def test_the_spans_of_a_database_are_reused_by_its_column_of_versions(runs: Runs, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db")) as database:
        database.execute("CREATE TABLE t (month TEXT, x REAL, y INTEGER, changed INTEGER)")
        for month in ("2024-01-05", "2024-02-05", "2024-03-05"):
            database.executemany("INSERT INTO t VALUES (?, ?, ?, 1)", [(month, n / 8, n // 5 % 2) for n in range(99)])
        database.commit()
        sql = {"table": "t", "span_column": "month", "span_unit": "month"}
        source = f"sqlite:///{tmp_path / 't.db'}"
        said = "spans: all read: the source does not say which of them changed"
        assert runs.same_as_reading(source=source, sql=sql) == said
        runs.same_as_reading(source=source, sql={**sql, "version_column": "changed"})
        database.execute("UPDATE t SET x = 7, changed = 2 WHERE month = '2024-02-05' AND x = 1")
        database.commit()
        said = runs.same_as_reading(source=source, sql={**sql, "version_column": "changed"})
        assert said == "spans: 2 reused, 1 read (2024-02: corrected)"
        database.execute("ALTER TABLE t ADD COLUMN z TEXT")
        database.commit()
        assert "0 reused, 3 read" in runs.same_as_reading(source=source, sql={**sql, "version_column": "changed"})


def test_the_spans_of_another_database_are_read(runs: Runs, tmp_path: Path) -> None:
    sql = {"table": "t", "span_column": "span", "version_column": "changed"}
    for name, first in (("a", 0), ("b", 1000)):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as database:
            database.execute("CREATE TABLE t (span INTEGER, x REAL, y INTEGER, changed INTEGER)")
            rows = [(span, first + n / 8, n // 5 % 2, 1) for span in (1, 2) for n in range(99)]
            database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
            database.commit()
        said = runs.same_as_reading(source=f"sqlite:///{tmp_path / name}.db", sql=sql)
        assert "reused" not in said or said.startswith("spans: 0 reused, 2 read")
    assert runs.same_as_reading(source=f"sqlite:///{tmp_path / 'b.db'}", sql=sql) == "spans: 2 reused, 0 read"
