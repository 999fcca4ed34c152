"""TFRecord of tf.Example is read without TensorFlow; checksums are verified, damage is reported with the record."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow as pa
import pytest

from components._core.errors import DataError
from tests.components.data.formats.reading import read_table

encoder = pytest.importorskip("tfx_bsl.coders.example_coder")


def encode(columns: dict[str, pa.Array]) -> list[bytes]:
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return list(encoder.RecordBatchToExamplesEncoder().encode(batch))


def frame(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _checksum(length) + record + _checksum(record)


def _checksum(content: bytes) -> bytes:
    value = google_crc32c.value(content)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


RECORDS = encode(
    {
        "i": pa.array([[2**53 + 1], None, [3]]),
        "f": pa.array([[0.5], [1.5], None], pa.list_(pa.float32())),
        "s": pa.array([["é".encode()], [b""], [b"b"]]),
        "b": pa.array([[b"\xff"], None, [b"ok"]]),
        "many": pa.array([[1, 2], [3], None]),
        "words": pa.array([[b"a", b"b"], None, None]),
        "y": pa.array([[0], [1], [1]]),
    }
)


def write(path: Path, records: list[bytes], pack: Callable[[bytes], bytes] = bytes) -> Path:
    path.write_bytes(pack(b"".join(map(frame, records))))
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_features_of_one_value_keep_their_types(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    table, rejected = read_table(write(tmp_path / "t", RECORDS, pack))
    assert not rejected and table.to_pydict() == {
        "b": [b"\xff", None, b"ok"],
        "f": [0.5, 1.5, None],
        "i": [2**53 + 1, None, 3],
        "many": ["[1,2]", "[3]", None],
        "s": ["é", None, "b"],
        "words": ['["a","b"]', None, None],
        "y": [0, 1, 1],
    }


def test_a_record_that_is_no_example_and_one_without_a_label_are_set_aside(tmp_path: Path) -> None:
    records = [RECORDS[0], b"\x0agarbage", RECORDS[1], b"", RECORDS[2]]
    table, rejected = read_table(write(tmp_path / "t.tfrecord", records))
    assert table["y"].to_pylist() == [0, 1, 1]
    assert [row.place for row in rejected] == ["t.tfrecord, row 2", "t.tfrecord, row 4"]
    assert "not a tf.Example" in rejected[0].reason and "label 'y' is missing" in rejected[1].reason


FIRST = len(frame(RECORDS[0]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda content: content[: FIRST + 20] + b"\xff" + content[FIRST + 21 :],
            "record 2: is damaged: its checksum is wrong",
        ),
        (
            lambda content: content[: FIRST + 1] + b"\xff" + content[FIRST + 2 :],
            "record 2: .*the checksum of its length",
        ),
        (lambda content: content[:-3], "record 3: is damaged: the file ends in the middle"),
        (lambda content: content[: FIRST + 5], "record 2: is damaged: the file ends in the middle"),
        (lambda content: b"", "is empty"),
        (lambda content: b"x,y\n1,2\n3,4\n5,6\n", "is not a TFRecord file"),
    ],
)
def test_damage_is_reported_with_file_and_record(tmp_path: Path, spoil: Callable[[bytes], bytes], message: str) -> None:
    path = write(tmp_path / "t.tfrecord", RECORDS)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=rf"t\.tfrecord(, |: ){message}"):
        read_table(path, format="tfrecord")


def test_a_feature_of_two_types_is_refused_with_both_files(tmp_path: Path) -> None:
    write(tmp_path / "t-1", encode({"x": pa.array([[1]]), "y": pa.array([[1]])}))
    write(tmp_path / "t-2", encode({"x": pa.array([[b"a"]]), "y": pa.array([[1]])}))
    with pytest.raises(DataError, match=r"t-2: feature 'x' is .*binary; in t-1 it is int64"):
        read_table(tmp_path / "t-{span}")


def test_a_span_that_lost_a_feature_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t-1", encode({"x": pa.array([[1]]), "y": pa.array([[1]])}))
    write(tmp_path / "t-2", encode({"y": pa.array([[1]])}))
    with pytest.raises(DataError, match=r"t-2: columns differ .*missing 'x' \(the first file is t-1\)"):
        read_table(tmp_path / "t-{span}")


@pytest.mark.slow
def test_tensorflow_is_not_imported(tmp_path: Path) -> None:
    write(tmp_path / "t", RECORDS)
    code = (
        "import sys; from tests.components.data.formats.reading import read_table; "
        f"read_table({str(tmp_path / 't')!r}); print('tensorflow' in sys.modules)"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
