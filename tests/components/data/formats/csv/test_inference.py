"""Types widen while a file is read once; a file is read again only where an earlier cell may not fit the wider type."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fsspec.implementations.local import LocalFileSystem

from components._core.project.data_config import Data
from components._data.formats.contract import TableSchema
from components._data.formats.csv import blocks, kept_blocks
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally
from components._data.sources.registry import open_source

Types = dict[str, str]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened."""
    counts: Counter[str] = Counter()
    plain = LocalFileSystem._open

    def count(self: Any, path: str, *args: Any, **options: Any) -> Any:
        counts[Path(path).name] += 1
        return plain(self, path, *args, **options)

    monkeypatch.setattr(LocalFileSystem, "_open", count)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16)
    return counts


def infer(folder: Path, *columns: str) -> TableSchema:
    """The schema of files of one column `x`, each given by its cells."""
    for span, cells in enumerate(columns, start=1):
        (folder / f"t-{span}.csv").write_text("x,y\n" + "".join(f"{cell},1\n" for cell in cells.split("|")))
    table = open_format(Data(source="t.csv"))
    return table.infer_schema(open_source(str(folder / "t-{span}.csv")).list_files("all"), "y")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ("1|2|3|4|5|6|7|8", "int64"),
        ("1|2|3|4|5|6|7|0.5", "double"),
        ("||||||||||4", "double"),
        ("1|2|3|4|5|6|7|word", "string"),
        ("1|2|3|4|5|0.5|7|word|9|0.5", "string"),
        ("true|false|true|false|5", "string"),
        ("2013-05-01|2013-05-02|2013-05-03|4", "string"),
        ("||||||||||||", "string"),
    ],
)
def test_a_column_takes_the_narrowest_type_of_all_blocks_and_the_file_is_opened_once_for_them(
    cells: str, kind: str, tmp_path: Path, opened: Counter[str]
) -> None:
    schema = infer(tmp_path, cells)
    assert str(schema.types["x"]) == kind and schema.clean == {"t-1.csv"}
    assert opened == {"t-1.csv": 3}, "for how it is written, for the header, and for the blocks"


@pytest.mark.parametrize(("cells", "kind"), [("0x1F|1|2|3|4|5|6|0.5", "string"), ("0x1F|1|2|3|4|5|6|7", "int64")])
def test_a_file_is_read_again_where_a_whole_number_is_not_a_real_one(
    cells: str, kind: str, tmp_path: Path, opened: Counter[str]
) -> None:
    assert str(infer(tmp_path, cells).types["x"]) == kind
    assert opened["t-1.csv"] == (4 if kind == "string" else 3)


def test_a_file_with_cells_that_do_not_fit_the_type_of_earlier_spans_is_not_clean(
    tmp_path: Path, opened: Counter[str]
) -> None:
    schema = infer(tmp_path, "1|2", "1|2|3|4|5|6|7|word", "0.5|1e39", "3|4")
    assert (str(schema.types["x"]), schema.clean) == ("double", {"t-1.csv", "t-2.csv", "t-4.csv"})
    assert opened["t-2.csv"] == 3


@pytest.mark.parametrize("limit", [1 << 20, 60])
def test_rows_are_read_from_what_inference_kept_and_else_from_the_file(
    limit: int, tmp_path: Path, opened: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_blocks, "KEPT_BYTES", limit)
    for span in (1, 2):
        (tmp_path / f"t-{span}.csv").write_text("x,y\n" + "".join(f"{n},1\n" for n in range(10 * span)))
    files = open_source(str(tmp_path / "t-{span}.csv")).list_files("all")
    table = open_format(Data(source="t.csv"))
    schema = table.infer_schema(files, "y")
    before = Counter(opened)
    for file in files:
        tally = FileTally()
        rows = [rows.examples for rows in table.read_rows(file, schema, "y", lambda row: None, ["x"], tally)]
        assert pa.Table.from_batches(rows)["x"].to_pylist() == list(range(10 * file.span))
        assert tally.bytes == Path(file.path).stat().st_size
        tally_again = FileTally()
        tally_again.watch(Path(file.path).read_bytes())
        assert tally.sha256.hexdigest() == tally_again.sha256.hexdigest()
    assert opened - before == ({} if limit > 60 else {"t-2.csv": 2})
