"""A repeated header and a line of totals are set aside by name, and count in no limit."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from components._data.formats.csv import blocks
from tests.components.data.formats.csv.ingest_csv import ingest, quarantined


def table(**rows: str) -> str:
    lines = [f"{n},Oslo,{n % 5}" for n in range(200)]
    for place, text in rows.items():
        lines.insert(int(place[1:]), text)
    return "n,city,y\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block", [64, 1 << 20])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_repeated_header_is_set_aside_and_its_columns_stay_numbers(
    end: str, block: int, quoted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
    text = table(r50="n,city,y", r120="n,city,y").replace("3,Oslo", '3,"Oslo"' if quoted else "3,Oslo")
    outcome, read = ingest(tmp_path, text.replace("\n", end))
    assert read.schema.field("n").type == pa.int64() and read.num_rows == 200
    assert [row["line"] for row in quarantined(tmp_path)] == [52, 122]
    assert outcome.verdict == "warn" and outcome.metrics["quarantined"] == 0
    assert "2 rows are not data, and set aside: t.csv, line 52: the header is repeated" in outcome.reason


@pytest.mark.parametrize(
    "total", ["Total,,995", "합계,,995", "Total:", ",Grand Total,995", '"Total","",995', "Total,1,2,3"]
)
def test_a_line_of_totals_at_the_end_is_set_aside(total: str, tmp_path: Path) -> None:
    outcome, read = ingest(tmp_path, table(r200=total) + "\n\n")
    assert read.num_rows == 200 and read.schema.field("n").type == pa.int64()
    (row,) = quarantined(tmp_path)
    assert row["line"] == 202 and "a line of totals" in row["reason"]
    assert outcome.metrics["quarantined"] == 0 and "line 202: a line of totals" in outcome.reason


@pytest.mark.parametrize(
    "text",
    [
        "city,x,y\nTotal,1,2\nOslo,2,3\nTotal,3,4\n",  # a value like others
        "city,x,y\nTotal,1,2\nOslo,2,3\nRome,3,4\n",  # not the last row
        "city,x,y\nOslo,2,3\nRome,1,2\nTotalbank,3,4\n",
        "y\n1\n2\ny\n".replace("y\n1", "y\n0"),
    ],
)
def test_a_row_that_may_be_data_is_kept(text: str, tmp_path: Path) -> None:
    outcome, read = ingest(tmp_path, text, quarantine_limit=0.9, split={"by": ["y"]})
    aside = int(outcome.metrics["quarantined"])
    assert read.num_rows + aside == 3 and "not data" not in outcome.reason


@pytest.mark.parametrize("block", [64, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_with_byte_order_marks_that_were_joined_are_one_table(
    block: int, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
    text = "\ufeff".join([table(), table(), table()]).removeprefix("\ufeff")
    outcome, read = ingest(tmp_path, text.encode(encoding))
    assert read.num_rows == 600 and read.schema.field("n").type == pa.int64()
    assert [row["line"] for row in quarantined(tmp_path)] == [202, 403]
    assert outcome.metrics["quarantined"] == 0
