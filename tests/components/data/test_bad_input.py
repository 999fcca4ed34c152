"""Damaged tables end a run with exit code 4, with file and row or block, and leave nothing under a final name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError
from components._core.project.project_file import parse_project
from components._core.types.artifact_files import MANIFEST
from components.ingest.ingest import ingest_examples
from tests.components.data.test_conformance import TABLE, WRITERS


def cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def flip(content: bytes) -> bytes:
    at = len(content) * 2 // 3
    return content[:at] + bytes(255 - byte for byte in content[at : at + 8]) + content[at + 8 :]


def replace_line(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join([*lines[:5], b"[1, 2]\n", *lines[6:]])


@pytest.mark.parametrize(
    ("kind", "spoil", "place"),
    [
        ("parquet", cut, r"t: cannot be read as Parquet: the Parquet footer is missing: the file was cut off"),
        ("avro", cut, r"t, block \d+, after row \d+: cannot be read as Avro"),
        ("avro", flip, r"t, block \d+, after row \d+: cannot be read as Avro"),
        ("tfrecord", flip, r"t, record \d+: is damaged: .*checksum"),
        ("jsonl", replace_line, r"t, line 6: 1 of 200 rows cannot be read .*the line is a list, not an object"),
        ("xlsx", cut, r"t: cannot be read as a workbook"),
    ],
)
def test_a_damaged_file_ends_the_run_with_its_place(
    tmp_path: Path, kind: str, spoil: Callable[[bytes], bytes], place: str
) -> None:
    WRITERS[kind](tmp_path / "t")
    (tmp_path / "t").write_bytes(spoil((tmp_path / "t").read_bytes()))
    assert_refused(tmp_path, str(tmp_path / "t"), place)


def test_a_later_file_that_lost_a_column_or_changed_a_type_is_named_with_the_first(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "s-1.parquet")
    pq.write_table(TABLE.drop(["word"]), tmp_path / "s-2.parquet")
    source = str(tmp_path / "s-{span}.parquet")
    assert_refused(
        tmp_path, source, r"s-2\.parquet: columns differ .*missing 'word' \(the first file is s-1\.parquet\)"
    )
    pq.write_table(TABLE.set_column(2, "word", pa.array(range(TABLE.num_rows))), tmp_path / "s-2.parquet")
    assert_refused(tmp_path, source, r"s-2\.parquet: column 'word' .* int64; in s-1\.parquet it is read as string")


def test_a_whole_number_that_real_ones_of_another_span_cannot_hold_is_named_with_its_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [0.5, 1.5], "y": [1, 2]}), tmp_path / "s-1.parquet")
    pq.write_table(pa.table({"x": [7, 2**53 + 1], "y": [1, 2]}), tmp_path / "s-2.parquet")
    message = r"s-2\.parquet, row 2: 1 of 4 rows .*column 'x': 9007199254740993 is beyond 2\^53; real numbers"
    assert_refused(tmp_path, str(tmp_path / "s-{span}.parquet"), message)


def assert_refused(folder: Path, source: str, message: str) -> None:
    """Ingest a source; it must fail with the message, and leave no manifest."""
    run = folder / f"run-{len(list(folder.iterdir()))}"
    for name in ("examples", "quarantine"):
        (run / name).mkdir(parents=True)
    raw: dict[str, Any] = {"name": "p", "task": "regression", "label": "y", "data": {"source": source}}
    with pytest.raises(DataError, match=message) as caught:
        ingest_examples(parse_project(raw), examples=run / "examples", quarantine=run / "quarantine")
    assert caught.value.exit_code == 4
    assert not (run / "examples" / MANIFEST).exists()
