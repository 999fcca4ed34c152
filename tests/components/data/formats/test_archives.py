"""A table in an archive, or compressed in a way that is not read, is refused with what to do."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from tests.components.core.pictures.pictures import encode, scene
from tests.components.data.formats.csv.ingest_csv import ingest

CSV = b"x,y\n" + b"".join(b"%d,%d\n" % (n, n % 5) for n in range(60))


def parquet() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"x": list(range(60)), "y": [n % 5 for n in range(60)]}), stream)
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("t.csv")
        member.size = len(CSV)
        archive.addfile(member, io.BytesIO(CSV))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.parquet.gz", gzip.compress(parquet()), "is Parquet inside of gzip\n  -> decompress it"),
        ("t.xlsx.gz", gzip.compress(zipped("xl/workbook.xml")), "is a workbook or an archive inside of gzip"),
        (
            "t.csv.zip",
            zipped("t.csv"),
            "is a zip archive with 't.csv'\n  -> unpack it; or name the file in it: zip://t.csv::file://",
        ),
        ("t.zip", zipped("a.csv", "b.csv"), "is a zip archive with 'a.csv', 'b.csv'\n  -> unpack it"),
        ("t.csv.tar.gz", tarred(), "is a tar archive\n  -> unpack it"),
        ("t.7z", b"7z\xbc\xaf\x27\x1c" + CSV, "is a 7-Zip archive, which is not read"),
        ("t.csv.lz4", b"\x04\x22\x4d\x18" + CSV, "is compressed by lz4, which is not read"),
    ],
)
def test_it_is_refused_with_what_to_do(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        ingest(tmp_path, content, name=name)
    assert str(refused.value).startswith(f"{name}: {message}")


def test_the_file_in_an_archive_is_read_by_the_address_of_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "t.zip").write_bytes(zipped("t.csv"))
    (file,) = open_source(f"zip://t.csv::file://{tmp_path}/t.zip").list_files("all")
    assert open_format(Data(source=file.name), file).column_names(file) == ["x", "y"]


@pytest.mark.parametrize(
    ("names", "message"), [(["a.png"], "is a picture, not a table"), (["a.png", "b.gif"], "several kinds")]
)
def test_a_folder_of_pictures_is_refused_with_how_it_is_named(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(encode(scene(), name[2:].upper()))
    with pytest.raises(DataError, match=message) as refused:
        open_format(Data(source=str(tmp_path)), open_source(str(tmp_path)).list_files("all")[0])
    assert "pictures://" in refused.value.remedy
