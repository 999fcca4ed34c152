import io
from contextlib import suppress
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.feather as feather
import pytest

from components._core.errors import DataError
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from tests.components.data.sources.databases.reading import read

TABLE = pa.table(
    {
        "n": pa.array([1, None, 3], pa.int32()),
        "word": pa.array(["a", None, "b"]).dictionary_encode(),
        "at": pa.array([0, 1, None], pa.timestamp("us", "UTC")),
        "y": [True, False, True],
    }
)


def write_stream(path: Path) -> None:
    with pa.ipc.new_stream(str(path), TABLE.schema) as writer:
        writer.write_table(TABLE, 2)


def write_file(path: Path) -> None:
    with pa.ipc.new_file(str(path), TABLE.schema) as writer:
        writer.write_table(TABLE, 2)


def write_feather(path: Path) -> None:
    feather.write_feather(TABLE, str(path), compression="zstd", chunksize=2)


@pytest.mark.parametrize("write", [write_stream, write_file, write_feather])
def test_files_streams_and_feather_are_read_by_content(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "t.bin"
    write(path)
    rows = read(str(path), "y")[1]
    assert [str(kind) for kind in rows.schema.types] == ["int64", "string", "timestamp[us, tz=UTC]", "bool"]
    assert rows["n"].to_pylist() == [1, None, 3] and rows["word"].to_pylist() == ["a", None, "b"]
    (file,) = open_source(str(path)).list_files("all")
    preview = open_format(Data(source=str(path)), file).preview(file)
    assert preview is not None and preview.columns == ["n", "word", "at", "y"] and preview.rows[0][:2] == ["1", "a"]


@pytest.mark.parametrize("write", [write_stream, write_file])
@pytest.mark.parametrize("lost", [4, 200, 700])
def test_a_file_that_was_cut_off_is_reported(tmp_path: Path, write, lost: int) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "t.arrow"
    write(path)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(DataError, match=r"t\.arrow: cannot be read as Arrow IPC"):
        read(str(path), "y")


def test_a_stream_that_was_cut_off_between_two_batches_is_reported(tmp_path: Path) -> None:
    sink = io.BytesIO()
    sink.write(TABLE.schema.remove(1).serialize().to_pybytes())
    sink.write(TABLE.drop(["word"]).to_batches()[0].serialize().to_pybytes())
    (tmp_path / "t.arrow").write_bytes(sink.getvalue())
    with pytest.raises(DataError, match="its end is missing: it was cut off"):
        read(str(tmp_path / "t.arrow"), "y")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,y\n1,0\n", "is not an Arrow IPC file"),
        (b"FEA1" + bytes(100), "Feather file of version 1"),
        (b"ARROW1\0\0" + bytes(range(200)), "cannot be read as Arrow IPC"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.arrow").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(str(tmp_path / "t.arrow"), "y", format="arrow")


@pytest.mark.parametrize("write", [write_stream, write_file, write_feather])
def test_a_damaged_byte_is_reported_or_harmless_and_never_ends_the_process(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    """Offsets of texts beyond their buffer, sizes of terabytes, a type that the values do not fit."""
    path = tmp_path / "t.bin"
    write(path)
    whole, random = path.read_bytes(), Random(7)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        path.write_bytes(damaged)
        with suppress(DataError):
            assert sum(rows.num_rows for rows in read(str(path), "y").values()) <= TABLE.num_rows


def test_a_text_whose_offsets_leave_its_buffer_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    table = pa.table({"word": ["aaaa", "bbbb"], "y": [1, 2]})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    offsets = bytes.fromhex("000000000400000008000000")
    assert path.read_bytes().count(offsets) == 1
    path.write_bytes(path.read_bytes().replace(offsets, bytes.fromhex("0000000004000000ffffff7f")))
    with pytest.raises(DataError, match="cannot be read as Arrow IPC"):
        read(str(path), "y")
