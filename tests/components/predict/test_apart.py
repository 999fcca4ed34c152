"""An output that would be a part of the source: the next run would read the answers as rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from components._core.errors import ConfigError
from components._data.sources.files import FileSource
from tests.components.core.store.s3_stub import serving
from tests.components.predict.conftest import Versions
from tests.components.predict.made import content, read, run, table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows").mkdir()
    for number in (1, 2):
        pq.write_table(table(5, seed=number), tmp_path / "rows" / f"t-{number}.parquet")
    return tmp_path / "rows"


@pytest.mark.parametrize(
    "output", ["answers.parquet", "answers.csv", "answers", "deeper/answers.jsonl", "../rows/a.csv"]
)
def test_an_output_in_the_source_s_folder_is_refused(
    output: str, folder: Path, tmp_path: Path, versions: Versions
) -> None:
    before = content(folder)
    with pytest.raises(ConfigError, match="is among the files of the source") as error:
        run(folder, folder / output, versions(), tmp_path / "store")
    assert "begins with _" in error.value.remedy and content(folder) == before


def test_a_folder_that_readers_leave_out_may_be_in_it(folder: Path, tmp_path: Path, versions: Versions) -> None:
    run(folder, folder / "_answers", versions(), tmp_path / "store")
    assert read(folder / "_answers").num_rows == 10
    assert run(folder, folder / "_answers", versions(), tmp_path / "store").was_complete


def test_an_output_that_matches_the_pattern_of_the_source_is_refused(
    folder: Path, tmp_path: Path, versions: Versions
) -> None:
    source = folder / "t-{span}.parquet"
    with pytest.raises(ConfigError, match="is among the files of the source"):
        run(source, folder / "t-3.parquet", versions(), tmp_path / "store")
    run(source, folder / "answers-3.parquet", versions(), tmp_path / "store")
    assert read(folder / "answers-3.parquet").num_rows == 10


def test_a_joined_folder_is_a_source_too(folder: Path, tmp_path: Path, versions: Versions) -> None:
    pq.write_table(table(5, seed=1).drop(["carrier"]), tmp_path / "t.parquet")
    pq.write_table(table(5).select(["flight", "carrier"]), folder / "t-1.parquet")
    (folder / "t-2.parquet").unlink()
    data = {"join": [{"source": str(folder), "on": ["flight"]}]}
    with pytest.raises(ConfigError, match="is among the files of the source"):
        run(tmp_path / "t.parquet", folder / "out.parquet", versions(), tmp_path / "store", data=data)


def test_what_a_source_would_list(folder: Path) -> None:
    (folder / "link").symlink_to(folder)
    whole, days = FileSource(str(folder)), FileSource(f"{folder}/{{YYYY}}/{{MM}}/t.csv")
    assert whole.would_list(f"{folder}/x.csv") and whole.would_list(f"{folder}/link/x.csv")
    assert not whole.would_list(f"{folder}x/y.csv") and not whole.would_list(f"{folder}/_x/y.csv")
    assert days.would_list(f"{folder}/2026/01/t.csv") and not days.would_list(f"{folder}/2026/1/t.csv")
    assert not days.would_list(f"{folder}/2026/01/u.csv") and not days.would_list(f"{folder}/2026/t.csv")


def test_the_same_in_an_object_store(folder: Path, tmp_path: Path, versions: Versions) -> None:
    with serving("atomic") as s3, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment.items():
            patch.setenv(name, value)
        for file in folder.iterdir():
            s3.objects[f"/bucket/rows/{file.name}"] = (file.read_bytes(), 0.0)
        for output in ("s3://bucket/rows/answers.parquet", "s3://bucket/rows/answers"):
            with pytest.raises(ConfigError, match="is among the files of the source"):
                run("s3://bucket/rows", output, versions(), tmp_path / "store")
        done = run("s3://bucket/rows", "s3://bucket/rows-answers/a.parquet", versions(), tmp_path / "store")
        assert done.manifest["answered"] == 10


@pytest.mark.parametrize(
    "way", ["nowhere/../t.csv", "./t.csv", "../rows/t.csv", "link.csv", "file://", "file://nowhere/../t.csv"]
)
def test_a_source_is_never_overwritten_however_the_output_is_written(
    way: str, folder: Path, tmp_path: Path, versions: Versions
) -> None:
    source = folder / "t.csv"
    csv.write_csv(table(20), source)
    (folder / "link.csv").symlink_to(source)
    output = f"{folder}/{way}" if "://" not in way else f"file://{folder}/{way.removeprefix('file://') or 't.csv'}"
    before = source.read_bytes()
    with pytest.raises(ConfigError, match="is a file of the source"):
        run(source, output, versions(), tmp_path / "store")
    assert source.read_bytes() == before and not (folder / "nowhere").exists()


def test_another_file_behind_a_link_or_a_detour_is_never_overwritten(
    folder: Path, tmp_path: Path, versions: Versions
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("a person's\n")
    (tmp_path / "link.csv").symlink_to(mine)
    for way in ("link.csv", "nowhere/../mine.csv", "nowhere/../link.csv"):
        with pytest.raises(ConfigError, match="something else is there"):
            run(folder / "t-1.parquet", f"{tmp_path}/{way}", versions(), tmp_path / "store")
    assert mine.read_text() == "a person's\n"
