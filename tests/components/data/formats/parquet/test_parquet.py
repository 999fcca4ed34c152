"""Parquet is split like CSV of the same table and keeps its values; unsupported types are refused with file and column."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import json
import time
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.data_config import Data
from components._core.project.project_file import parse_project
from components._core.types.column_types import to_text
from components._data.formats import typed_rows
from components._data.formats.parquet import reader
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from components.ingest.ingest import ingest_examples
from tests.components.core.store.s3_stub import serving
from tests.components.data.formats.csv.ingest_csv import ingest as ingest_content
from tests.components.data.formats.csv.ingest_csv import quarantined
from tests.components.data.formats.reading import read_table

Ingest = Callable[..., tuple[Outcome, pa.Table]]


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Ingest a source; the outcome and all rows, by their number `id`."""

    def run(source: str, **data: Any) -> tuple[Outcome, pa.Table]:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        for name in ("examples", "quarantine"):
            (folder / name).mkdir(parents=True)
        raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": source, **data}}
        outcome = ingest_examples(parse_project(raw), examples=folder / "examples", quarantine=folder / "quarantine")
        batches = [batch for split in SPLITS for batch in read_batches(folder / "examples", split)]
        table = pa.Table.from_batches(batches)
        return outcome, table.sort_by("id") if "id" in table.column_names else table

    return run


def newest(folder: Path, name: str) -> Path:
    return max(folder.glob(f"run-*/{name}"), key=lambda path: int(path.parent.name.removeprefix("run-")))


DAY = datetime.datetime(2013, 5, 1, 10)
ROWS = 300
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS), pa.int32()),
        "x": pa.array([None if n % 7 == 0 else n / 4 for n in range(ROWS)], pa.float64()),
        "word": pa.array([None if n % 11 == 0 else f"w{n % 5}" for n in range(ROWS)]),
        "flag": pa.array([n % 2 == 0 for n in range(ROWS)]),
        "day": pa.array([datetime.date(2013, 1 + n % 12, 1) for n in range(ROWS)]),
        "y": pa.array([n % 3 for n in range(ROWS)], pa.int64()),
    }
)


def write_csv(table: pa.Table, path: Path) -> None:
    lines = [",".join(table.column_names)]
    for row in table.to_pylist():
        cells = [str(value).lower() if isinstance(value, bool) else value for value in row.values()]
        lines.append(",".join("" if cell is None else str(cell) for cell in cells))
    path.write_text("\n".join(lines) + "\n")


def test_a_table_gives_the_same_rows_in_the_same_splits_as_parquet_and_as_csv(tmp_path: Path, ingest: Ingest) -> None:
    write_csv(TABLE, tmp_path / "t.csv")
    pq.write_table(TABLE, tmp_path / "t.parquet")
    _, from_csv = ingest(str(tmp_path / "t.csv"))
    rows = Manifest.load(newest(tmp_path, "examples")).rows
    outcome, from_parquet = ingest(str(tmp_path / "t.parquet"))
    texts = [to_text(from_parquet[name]) for name in from_parquet.column_names]
    assert texts == [to_text(column) for column in from_csv.columns] and outcome.metrics["rows"] == ROWS
    manifest = Manifest.load(newest(tmp_path, "examples"))
    assert manifest.rows == rows and min(rows.values()) > 0
    assert manifest.columns == {
        "id": "int64", "x": "float64", "word": "string", "flag": "bool", "day": "timestamp", "y": "int64",
    }  # fmt: skip


def test_the_manifest_says_which_bytes_were_read(tmp_path: Path, ingest: Ingest) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    ingest(str(tmp_path / "t.parquet"))
    (file,) = Manifest.load(newest(tmp_path, "examples")).files
    content = (tmp_path / "t.parquet").read_bytes()
    assert (file.bytes, file.rows) == (len(content), ROWS)
    assert file.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("values", "kind", "seen"),
    [
        ([1, None, 3], pa.int8(), [1, None, 3]),
        ([255, None, 0], pa.uint8(), [255, None, 0]),
        ([1, None, 2**32 - 1], pa.uint32(), [1, None, 2**32 - 1]),
        ([2**53 + 1, None, -(2**63)], pa.int64(), [2**53 + 1, None, -(2**63)]),
        ([0.5, None, float("nan")], pa.float32(), [0.5, None, None]),
        ([0.1, 16_777_217.0, float("nan")], pa.float64(), [0.1, 16_777_217.0, None]),
        (["a", None, ""], pa.string(), ["a", None, None]),
        (["a", None, "b"], pa.large_string(), ["a", None, "b"]),
        (["a", None, "a"], pa.dictionary(pa.int32(), pa.string()), ["a", None, "a"]),
        ([True, None, False], pa.bool_(), [True, None, False]),
        ([None, None, None], pa.null(), [None, None, None]),
        ([b"\xff\x00", None, b""], pa.binary(), [b"\xff\x00", None, b""]),
        ([b"ab", None, b"cd"], pa.binary(2), [b"ab", None, b"cd"]),
        ([datetime.time(9, 30), None, None], pa.time32("ms"), ["09:30:00.000", None, None]),
        ([DAY.date(), None, None], pa.date32(), [DAY.date(), None, None]),
        ([DAY.date(), None, None], pa.date64(), [DAY.date(), None, None]),
        ([DAY.replace(microsecond=250_000)] * 3, pa.timestamp("us"), [DAY.replace(microsecond=250_000)] * 3),
        ([DAY, None, None], pa.timestamp("s"), [DAY, None, None]),
        ([DAY, None, None], pa.timestamp("s", tz="UTC"), [DAY.replace(tzinfo=datetime.UTC), None, None]),
        ([1, None, 2**63 - 1], pa.uint64(), [1, None, 2**63 - 1]),
        ([1, None, 2**64 - 1], pa.uint64(), ["1", None, str(2**64 - 1)]),
        ([Decimal("0.10"), None, Decimal("-1234567.89")], pa.decimal128(9, 2), [0.1, None, -1234567.89]),
        ([Decimal("0.1"), None, Decimal("1e19")], pa.decimal128(38, 18), [0.1, None, 1e19]),
        ([Decimal(7), None, Decimal(-(2**40))], pa.decimal128(38, 0), [7, None, -(2**40)]),
        ([Decimal(7), None, Decimal(10**20)], pa.decimal128(38, 0), ["7", None, str(10**20)]),
        ([[1, 2], None, []], pa.list_(pa.int64()), ["[1,2]", None, "[]"]),
        ([[("k", "é")], None, []], pa.map_(pa.string(), pa.string()), ['{"k":"é"}', None, "{}"]),
        ([DAY, None, None], pa.timestamp("ms", tz="Asia/Tokyo"), [DAY.replace(tzinfo=datetime.UTC), None, None]),
    ],
)
def test_a_column_keeps_its_values(
    tmp_path: Path, ingest: Ingest, values: list[Any], kind: pa.DataType, seen: list[Any]
) -> None:
    column = pa.array(values).cast(kind) if kind == pa.date64() else pa.array(values, kind)
    pq.write_table(pa.table({"id": [0, 1, 2], "c": column, "y": [1, 2, 3]}), tmp_path / "t.parquet", version="2.6")
    assert ingest(str(tmp_path / "t.parquet"))[1]["c"].to_pylist() == seen


def test_a_time_keeps_its_nanoseconds(tmp_path: Path, ingest: Ingest) -> None:
    table = pa.table(
        {"id": [0, 1, 2], "c": pa.array([1, 1_369_094_400_123_456_789, None], pa.timestamp("ns")), "y": [1, 2, 3]}
    )
    pq.write_table(table, tmp_path / "t.parquet", version="2.6")
    column = ingest(str(tmp_path / "t.parquet"))[1]["c"]
    assert column.cast(pa.int64()).to_pylist() == [1, 1_369_094_400_123_456_789, None]


def test_a_row_of_every_type_is_in_the_split_of_its_texts(tmp_path: Path, ingest: Ingest) -> None:
    random = np.random.default_rng(5)
    seconds = random.integers(1e9, 2e9, ROWS)
    exact = pa.table(
        {
            "id": list(range(ROWS)),
            "flag": [None if n % 9 == 0 else bool(n % 2) for n in range(ROWS)],
            "real": [None if n % 5 == 0 else value for n, value in enumerate(random.normal(0, 1e6, ROWS))],
            "big": [None if n % 4 == 0 else 2**53 + n for n in range(ROWS)],
            "day": pa.array(seconds // 86_400, pa.int32()).cast(pa.date32()),
            "at": pa.array(seconds * 1_000 + 250, pa.timestamp("ms", tz="Europe/Oslo")),
            "y": [n % 3 for n in range(ROWS)],
        }
    )
    texts = {
        name: [None if value is None else repr(value) for value in exact[name].to_pylist()]
        if pa.types.is_floating(exact[name].type)
        else to_text(exact[name]).to_pylist()
        for name in exact.column_names
    }
    write_csv(pa.table(texts), tmp_path / "t.csv")
    pq.write_table(exact, tmp_path / "t.parquet")
    places = []
    for name in ("t.csv", "t.parquet"):
        ingest(str(tmp_path / name), exclude=["id"])
        examples = newest(tmp_path, "examples")
        places.append(
            {
                split: sorted(id_ for b in read_batches(examples, split, ["id"]) for id_ in b[0].to_pylist())
                for split in SPLITS
            }
        )
    assert places[0] == places[1] and all(places[0].values())


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pa.array([1, 2], pa.duration("s")), "duration"),
        (pa.array([{"a": 1}, {"a": 2}], pa.struct([("a", pa.duration("s"))])), "duration"),
    ],
)
def test_a_type_that_examples_do_not_hold_is_refused_with_file_column_and_what_is_allowed(
    tmp_path: Path, ingest: Ingest, column: pa.Array, shown: str
) -> None:
    pq.write_table(pa.table({"c": column, "y": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(
        DataError, match=rf"t\.parquet: column 'c(.a)?' has the type {shown}(.|\n)*allowed: whole numbers"
    ):
        ingest(str(tmp_path / "t.parquet"))


def write_spans(folder: Path, *tables: dict[str, Any]) -> str:
    for number, table in enumerate(tables, start=1):
        pq.write_table(pa.table(table), folder / f"s-{number}.parquet")
    return str(folder / "s-{span}.parquet")


def test_whole_and_real_numbers_of_different_spans_are_real_ones_and_a_column_without_values_takes_a_later_type(
    tmp_path: Path, ingest: Ingest
) -> None:
    source = write_spans(
        tmp_path,
        {"id": [1, 2], "x": [1, 2], "w": pa.nulls(2), "y": [0, 1]},
        {"y": [0, 1], "w": ["a", "b"], "x": [2.5, 3.0], "id": [3, 4]},
    )
    rows = ingest(source)[1]
    assert rows["x"].to_pylist() == [1.0, 2.0, 2.5, 3.0] and rows["w"].to_pylist() == [None, None, "a", "b"]
    assert ingest(source, spans="1")[1]["x"].to_pylist() == [1, 2]


def test_times_and_truth_values_that_another_span_has_as_other_types_are_the_texts_of_a_csv(
    tmp_path: Path, ingest: Ingest
) -> None:
    source = write_spans(
        tmp_path,
        {"id": [1], "at": pa.array([DAY], pa.timestamp("us")), "flag": [True], "y": [0]},
        {"id": [2], "at": pa.array([DAY], pa.timestamp("ms", tz="UTC")), "flag": ["false"], "y": [0]},
        {"id": [3], "at": pa.array([DAY.date()]), "flag": ["true"], "y": [0]},
    )
    rows = ingest(source)[1]
    assert rows["at"].to_pylist() == ["2013-05-01 10:00:00", "2013-05-01 10:00:00Z", "2013-05-01"]
    assert rows["flag"].to_pylist() == ["true", "false", "true"]


def test_single_and_double_precision_of_different_spans_are_double_precision(tmp_path: Path, ingest: Ingest) -> None:
    single = pa.array([0.1], pa.float32())
    source = write_spans(tmp_path, {"id": [1], "x": single, "y": [0]}, {"id": [2], "x": [0.1], "y": [0]})
    assert ingest(source)[1]["x"].to_pylist() == [float(np.float32(0.1)), 0.1]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"x": ["a"], "y": [1]}, r"s-2\.parquet: column 'x' .* read as string; in s-1\.parquet it is read as int64"),
        ({"x": [True], "y": [1]}, r"s-2\.parquet: column 'x' .* read as bool; in s-1\.parquet it is read as int64"),
        ({"x": [b"a"], "y": [1]}, r"s-2\.parquet: column 'x' .* read as binary; in s-1\.parquet it is read as int64"),
        ({"w": [1], "y": [1]}, r"s-2\.parquet: columns differ from earlier spans: missing 'x', unexpected 'w'"),
        ({"x": [1]}, r"s-2\.parquet: has no label column 'y'"),
    ],
)
def test_files_of_other_columns_or_types_are_refused_by_name(
    tmp_path: Path, ingest: Ingest, second: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ingest(write_spans(tmp_path, {"x": [1], "y": [1]}, second))


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damage_footer(content: bytes) -> bytes:
    return content[:-40] + b"\xff" * 20 + content[-20:]


def damage_pages(content: bytes) -> bytes:
    return content[:4] + b"\xff" * 2_000 + content[2_004:]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: b"\0\1\2", r"is not a Parquet file\n  -> set data\.format"),
        (lambda content: b"PAR1", "cut off"),
        (cut, "cannot be read as Parquet: the Parquet footer is missing: the file was cut off"),
        (damage_footer, "cannot be read as Parquet"),
        (damage_pages, "cannot be read as Parquet"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, ingest: Ingest, spoil: Callable[[bytes], bytes], message: str
) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(spoil((tmp_path / "t.parquet").read_bytes()))
    with pytest.raises(DataError, match=rf"t\.parquet: (.|\n)*{message}"):
        ingest(str(tmp_path / "t.parquet"), format="parquet")


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path, ingest: Ingest) -> None:
    texts = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xe9"]).buffers())
    pq.write_table(pa.table({"c": texts, "y": [1]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet: .*UTF8"):
        ingest(str(tmp_path / "t.parquet"))


STRING_VIEW = (
    "eNp1UsFKw0AQnYQl9JDrhizkkEsDQlqrUBGph0lNQtBoGxDPMZToQVtTNdQv8Vf8Jz/C2c2aevHBzr6ZeTszMLvA4ogD97kfckbE"
    "4pYHACYdZhhkS2nuKRPy8B8JaE+CMzGbgmttq4fVU8kZcHtoukY1hCtPpaW3A4cJT4QBeNwWQwsEKTgFncRJgkHmURfgJsxIZokA"
    "GL2UWqa1O6UtnCK43msPfpXOp+GwYEAXCM+1sShu7s66edxv41DipEbCEjtcIrYY1Zgg1jhXKYwixFySOWKmAvsbOxrlvZ9/UNFT"
    "IvE8VsFW2hh7SBpNdb1c9iFJ1qdvsZsnWsp8iljhhS7eFylqNW+Kf0fXNM11k6WeT+EcXH9TNi9vq9dRtdmMyqZZt/77qtk+rp/9"
    "4+l4Mp6IkNYiN/NFm1zQZ/gBSNZlaA=="
)
"""A file with a column `c` of the type string_view, as pyarrow 25 writes it: zlib, base64."""


def test_a_type_that_is_newer_than_the_installed_pyarrow_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(zlib.decompress(base64.b64decode(STRING_VIEW)))
    if hasattr(pa, "string_view"):
        assert read_table(tmp_path / "t.parquet")[0].to_pydict() == {"c": ["a", "b"], "y": [1, 2]}
        return
    with pytest.raises(DataError, match=r"t\.parquet: has a column of a type that this version of pyarrow cannot read"):
        read_table(tmp_path / "t.parquet")


def test_a_column_of_an_unsupported_type_is_not_read_where_it_is_excluded(tmp_path: Path) -> None:
    table = pa.table({"c": pa.array([1, 2], pa.duration("s")), "y": [1, 2]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", exclude=["c"])[0].to_pydict() == {"c": [None, None], "y": [1, 2]}


def test_structs_are_columns_with_dotted_names(tmp_path: Path) -> None:
    table = pa.table({"c": [{"a": 1, "b": {"d": "x"}}, None], "y": [1, 2]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet")[0].to_pydict() == {"c.a": [1, None], "c.b.d": ["x", None], "y": [1, 2]}


def test_rows_without_a_label_and_numbers_beyond_float32_are_set_aside_with_their_number(
    tmp_path: Path, ingest: Ingest
) -> None:
    table = pa.table({"id": [1, 2, 3, 4], "x": [0.5, float("inf"), 1e39, 1.0], "y": [1, 2, 3, None]})
    pq.write_table(table, tmp_path / "t.parquet")
    outcome, rows = ingest(str(tmp_path / "t.parquet"), quarantine_limit=0.8)
    assert rows["id"].to_pylist() == [1] and "t.parquet, row 2: column 'x'" in outcome.reason
    lines = (newest(tmp_path, "quarantine") / "rows.jsonl").read_text().splitlines()
    assert [(json.loads(line)["line"], json.loads(line)["reason"][:10]) for line in lines] == [
        (2, "column 'x'"),
        (3, "column 'x'"),
        (4, "the label "),
    ]


def test_a_row_group_larger_than_a_batch_is_read_in_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_rows, "BATCH_ROWS", 100)
    pq.write_table(TABLE.append_column("a.id", TABLE["id"]), tmp_path / "t.parquet", row_group_size=250)
    files = open_source(str(tmp_path / "t.parquet")).list_files("all")
    table = open_format(Data(source="t.parquet"))
    rejected: list[Any] = []
    found = list(table.read_rows(files[0], table.infer_schema(files, "y"), "y", rejected.append, ["id"]))
    assert max(rows.examples.num_rows for rows in found) <= 100 and not rejected
    assert [n for rows in found for n in rows.cells.column(0).to_pylist()] == list(range(ROWS))
    assert [n for rows in found for n in rows.lines()] == list(range(1, ROWS + 1))


class CountedFile(io.FileIO):
    """Counts the bytes that were read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(-1 if size is None else size) or b""
        self.count += len(content)
        return content


def test_a_batch_needs_only_some_pages_of_a_large_row_group(tmp_path: Path) -> None:
    """Newer versions of pyarrow read a whole row group ahead, unless configured otherwise."""
    numbers = np.random.default_rng(7).random(1_000_000)
    table = pa.table({"a": numbers, "b": numbers, "y": numbers})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=len(numbers), use_dictionary=False)
    (file,) = open_source(str(tmp_path / "t.parquet")).list_files("all")
    counted = CountedFile(tmp_path / "t.parquet")
    with reader.open_parquet(file, counted) as opened:
        batch = next(opened.iter_batches(batch_size=1_000, use_threads=False))
        assert batch.num_rows == 1_000 and 0 < counted.count < table.nbytes / 3


def test_of_a_wide_table_fewer_rows_are_read_at_a_time() -> None:
    assert tuple(map(typed_rows.batch_rows, (10, 100, 100_000))) == (65_536, 10_485, 1_024)


def test_a_file_of_another_store_is_read_over_its_file_system_once(
    tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("memory")
    with files.open("/parquet/t.parquet", "wb") as stream:
        pq.write_table(TABLE, stream)
    opened: list[str] = []
    plain = files._open
    monkeypatch.setattr(type(files), "_open", lambda self, path, *a, **k: opened.append(path) or plain(path, *a, **k))
    assert ingest("memory://parquet/t.parquet")[1].num_rows == ROWS
    assert len(opened) == 3, "once for its format, once for the footer, once for the content"


def test_spans_in_s3_are_read_as_from_a_folder(tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("atomic") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for span in (1, 2):
            pq.write_table(TABLE.slice(150 * (span - 1), 150), tmp_path / f"t-{span}.parquet")
            content = (tmp_path / f"t-{span}.parquet").read_bytes()
            server.objects[f"/bucket/data/t-{span}.parquet"] = (content, time.time())
        rows = ingest("s3://bucket/data/t-{span}.parquet")[1]
        assert rows.equals(ingest(str(tmp_path / "t-{span}.parquet"))[1]) and rows.num_rows == ROWS
        assert ingest("s3://bucket/data/t-{span}.parquet", spans="last 1")[1].num_rows == 150


def test_the_format_is_chosen_by_the_content_and_can_be_named(tmp_path: Path, ingest: Ingest) -> None:
    pq.write_table(TABLE, tmp_path / "table.data")
    assert ingest(str(tmp_path / "table.data"))[1].num_rows == ROWS
    with pytest.raises(DataError, match=r"is a Parquet file, not CSV\n  -> set data\.format to parquet"):
        ingest(str(tmp_path / "table.data"), format="csv")
    with pytest.raises(ConfigError, match=r"data\.format: unknown format 'parket'; did you mean 'parquet'"):
        ingest(str(tmp_path / "table.data"), format="parket")
    for source, name in {
        "t.CSV": "csv", "t.pq": "parquet", "s3://b/t-{span}.parquet": "parquet", "t.txt": "csv",
        "zip://t.parquet::file:///a.zip": "parquet",
    }.items():  # fmt: skip
        assert open_format(Data(source=source)).name == name


def test_the_preview_shows_the_first_rows_as_text(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    (file,) = open_source(str(tmp_path / "t.parquet")).list_files("all")
    preview = open_format(Data(source="t.parquet")).preview(file)
    assert preview is not None and preview.columns == TABLE.column_names
    assert preview.rows[0] == ["0", "", "", "true", "2013-01-01", "0"]
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    assert open_format(Data(source="t.parquet")).preview(file) is None


def test_a_decimal_that_is_a_whole_number_is_set_aside_and_not_rounded(tmp_path: Path) -> None:
    prices = [Decimal(n) / 4 for n in range(60)]
    prices[7], prices[8], prices[9] = (
        Decimal("9007199254740993.00"),
        Decimal("9007199254740994.00"),
        Decimal("9007199254740993.25"),
    )
    table = pa.table({"price": pa.array(prices, pa.decimal128(20, 2)), "y": [n % 5 for n in range(60)]})
    pq.write_table(table, tmp_path / "t.parquet")
    _, read = ingest_content(tmp_path, (tmp_path / "t.parquet").read_bytes(), name="t.parquet", quarantine_limit=0.1)
    (row,) = quarantined(tmp_path)
    assert row["line"] == 8 and "is a whole number beyond 2^53, which a real number would round" in row["reason"]
    assert read.num_rows == 59 and 9007199254740994.0 in read["price"].to_pylist()
