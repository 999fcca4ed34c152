from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from components._core.credentials import find_credentials, masked_uri
from components._core.errors import ConfigError, DataError
from components._data.sources.registry import absolute_location, is_relative, open_source
from tests.components.data.sources.databases.reading import read
from tests.components.data.sources.delta_table import DeltaTableWriter

SCHEMA = pa.schema([("a", pa.int64()), ("word", pa.string()), ("y", pa.float64())])


def rows(*numbers: int) -> pa.Table:
    return pa.table({"a": numbers, "word": [f"w{n}" for n in numbers], "y": [n / 2 for n in numbers]}, SCHEMA)


@pytest.fixture
def table(tmp_path: Path) -> DeltaTableWriter:
    """Version 0 has one file, 1 a second one, in 2 the first was replaced."""
    writer = DeltaTableWriter(tmp_path / "t", SCHEMA)
    writer.write(writer.add("a.parquet", rows(1, 2)))
    writer.write(writer.add("b.parquet", rows(3)))
    writer.write(writer.remove("a.parquet"), writer.add("c.parquet", rows(10, 20, 30)))
    return writer


def values(source: str, column: str = "a") -> list[object]:
    """The values of all files; they are all in span 1."""
    files = open_source(source).list_files("all")
    found: list[object] = []
    for file in files:
        with file.open() as stream:
            found += pa.ipc.open_stream(stream).read_all()[column].to_pylist()
    return sorted(found, key=repr)


@pytest.mark.parametrize(
    ("version", "found"), [("@0", [1, 2]), ("@1", [1, 2, 3]), ("@2", [10, 20, 3, 30]), ("", [10, 20, 3, 30])]
)
def test_a_version_is_its_own_files(table: DeltaTableWriter, version: str, found: list[int]) -> None:
    assert values(f"delta://{table.folder}{version}") == sorted(found, key=repr)


def test_rows_are_read_with_the_types_of_the_table(table: DeltaTableWriter) -> None:
    found = read(f"delta://{table.folder}@0", "y")[1]
    assert found.schema.types == SCHEMA.types and found.to_pydict() == rows(1, 2).to_pydict()


def test_the_fingerprint_is_the_version(table: DeltaTableWriter) -> None:
    source = f"delta://{table.folder}"
    assert open_source(source).fingerprint("all") == open_source(f"{source}@2").fingerprint("all")
    before = open_source(source).fingerprint("all")
    table.write(table.add("d.parquet", rows(4)))
    assert open_source(source).fingerprint("all") != before == open_source(f"{source}@2").fingerprint("all")


def test_columns_in_paths_are_columns_with_their_types(tmp_path: Path) -> None:
    schema = SCHEMA.append(pa.field("day", pa.date32())).append(pa.field("n", pa.int32()))
    writer = DeltaTableWriter(tmp_path / "t", schema, ("day", "n"))
    writer.write(
        writer.add("day=2024-01-31/n=7/a b.parquet", rows(1, 2), day="2024-01-31", n="7"),
        writer.add("day=x/n=x/c.parquet", rows(3), day=None, n=None),
    )
    source = f"delta://{writer.folder}"
    assert values(source, "day") == sorted([date(2024, 1, 31), date(2024, 1, 31), None], key=repr)
    assert values(source, "n") == sorted([7, 7, None], key=repr)


def test_a_column_that_came_later_is_missing_in_older_files(table: DeltaTableWriter) -> None:
    schema = SCHEMA.append(pa.field("new", pa.bool_()))
    newer = rows(7).append_column("new", pa.array([True]))
    table.write(table.add_columns(schema), table.add("d.parquet", newer))
    assert values(f"delta://{table.folder}", "new") == [None, None, None, None, True]


def test_deletion_vectors_and_column_mapping_are_refused_with_the_remedy(tmp_path: Path) -> None:
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"],
        "writerFeatures": ["deletionVectors"],
    }
    vector = {"storageType": "i", "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "sizeInBytes": 40, "cardinality": 6}  # fmt: skip
    writer = DeltaTableWriter(tmp_path / "t", SCHEMA, protocol=protocol)
    writer.write(writer.add("a.parquet", rows(*range(100)), vector))
    with pytest.raises(DataError, match=r"deletion vectors(.|\n)*PURGE"):
        values(f"delta://{writer.folder}")
    mapped = DeltaTableWriter(tmp_path / "m", SCHEMA, configuration={"delta.columnMapping.mode": "name"}, protocol={"minReaderVersion": 2, "minWriterVersion": 5})  # fmt: skip
    mapped.write(mapped.add("a.parquet", rows(1)))
    with pytest.raises(DataError, match="column mapping"):
        values(f"delta://{mapped.folder}")


def test_a_missing_table_version_or_file_is_named(table: DeltaTableWriter, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a Delta table"):
        values(f"delta://{tmp_path}/none")
    with pytest.raises(DataError, match="there is no such version"):
        values(f"delta://{table.folder}@9")
    (table.folder / "b.parquet").unlink()
    with pytest.raises(DataError, match=r"b\.parquet: a file of this version is missing(.|\n)*VACUUM"):
        values(f"delta://{table.folder}@1")
    (table.folder / "a.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet"):
        values(f"delta://{table.folder}@0")


def test_spans_are_refused(table: DeltaTableWriter) -> None:
    with pytest.raises(ConfigError, match="spans"):
        open_source(f"delta://{table.folder}").list_files("last 3")


def test_a_version_in_an_address_is_not_a_credential(tmp_path: Path) -> None:
    for location in ("delta://s3://bucket/flights@5", "delta://data/flights@5"):
        assert not find_credentials(location) and masked_uri(location) == location
    assert find_credentials("delta://https://user:secret@host/flights@5")
    assert absolute_location("delta://data/t@5", tmp_path) == f"delta://{tmp_path}/data/t@5"
    assert is_relative("delta://data/t") and not is_relative("delta://s3://b/t") and not is_relative("delta:///data/t")
