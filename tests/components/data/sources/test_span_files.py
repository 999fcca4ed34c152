"""The files of spans, by date, in folders, in versions: real files of this machine."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from components._core.errors import DataError
from components._data.sources.registry import open_source


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a,y\n1,0\n")


def list_names(folder: Path, pattern: str, spans: str = "all") -> list[tuple[int, str]]:
    return [(file.span, file.name) for file in open_source(str(folder / pattern)).list_files(spans)]


def test_dates_in_file_names_are_spans(tmp_path: Path) -> None:
    write(tmp_path, "f-2024-02.csv", "f-2023-12.csv", "f-2024-13.csv", "f-2024-1.csv", "other.csv")
    assert list_names(tmp_path, "f-{YYYY}-{MM}.csv") == [(202312, "f-2023-12.csv"), (202402, "f-2024-02.csv")]


def test_dates_in_folders_are_spans_and_names_hold_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "2023/12.csv", "2024/01.csv", "2024/readme.txt", "notes/01.csv")
    assert list_names(tmp_path, "{YYYY}/{MM}.csv") == [(202312, "2023/12.csv"), (202401, "2024/01.csv")]


@pytest.mark.parametrize("pattern", ["date={YYYY}-{MM}-{DD}", "date={YYYY}-{MM}-{DD}/", "date={YYYY}-{MM}-{DD}/*.csv"])
def test_a_hive_partition_is_a_span_of_several_files(pattern: str, tmp_path: Path) -> None:
    write(tmp_path, *(f"t/date=2024-06-0{day}/part-{part}.csv" for day in (1, 2) for part in (0, 1)))
    write(tmp_path, "t/date=2024-06-01/_SUCCESS", "t/date=2024-06-01/.part-0.csv.crc", "t/_delta/x.csv")
    found = list_names(tmp_path / "t", pattern, "2024-06-01")
    assert found == [(20240601, f"date=2024-06-01/part-{part}.csv") for part in (0, 1)]
    assert len(list_names(tmp_path / "t", pattern)) == 4


def test_a_number_may_be_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "run-02/t.csv", "run-10/t.csv", "run-9/t.csv")
    assert [span for span, _ in list_names(tmp_path, "run-{span}/t.csv")] == [2, 9, 10]


def test_the_newest_version_of_each_span_is_read(tmp_path: Path) -> None:
    write(tmp_path, "f-1-v1.csv", "f-1-v2.csv", "f-1-v10.csv", "f-2-v3.csv")
    assert list_names(tmp_path, "f-{span}-v{VERSION}.csv") == [(1, "f-1-v10.csv"), (2, "f-2-v3.csv")]
    write(tmp_path, "2024-01/v1/t.csv", "2024-01/v2/t.csv", "2024-02/v1/t.csv")
    assert list_names(tmp_path, "{YYYY}-{MM}/v{VERSION}/t.csv") == [
        (202401, "2024-01/v2/t.csv"),
        (202402, "2024-02/v1/t.csv"),
    ]


def test_a_table_without_spans_may_have_versions(tmp_path: Path) -> None:
    write(tmp_path, "t-v1.csv", "t-v2.csv")
    assert list_names(tmp_path, "t-v{VERSION}.csv") == [(1, "t-v2.csv")]
    with pytest.raises(DataError, match=r"no file matches(.|\n)*\{VERSION\}"):
        list_names(tmp_path, "u-v{VERSION}.csv")


def test_a_new_version_changes_the_fingerprint(tmp_path: Path) -> None:
    write(tmp_path, "f-1-v1.csv", "f-2-v1.csv")
    source = open_source(str(tmp_path / "f-{span}-v{VERSION}.csv"))
    before = source.fingerprint("1"), source.fingerprint("2")
    write(tmp_path, "f-1-v2.csv")
    assert source.fingerprint("1") != before[0] and source.fingerprint("2") == before[1]


def test_two_folders_of_one_span_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "7/t.csv", "07/t.csv")
    with pytest.raises(DataError, match=r"two files for span 7: .*07 and .*7"):
        list_names(tmp_path, "{span}/t.csv")


@pytest.mark.parametrize("name", ["date=2024-06-02/_SUCCESS", "date=2024-06-02/.hidden"])
def test_a_partition_without_files_is_reported_with_its_folder(name: str, tmp_path: Path) -> None:
    write(tmp_path, "date=2024-06-01/part-0.csv", name)
    with pytest.raises(DataError, match=r"date=2024-06-02: span 2024-06-02 has no files"):
        list_names(tmp_path, "date={YYYY}-{MM}-{DD}/")


def test_a_pattern_that_no_file_matches_says_how_a_date_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="with leading zeros"):
        list_names(tmp_path, "{YYYY}/{MM}.csv")


def test_missing_spans_are_left_out_as_configured(tmp_path: Path) -> None:
    write(tmp_path, "2024-01.csv", "2024-03.csv")
    pattern = str(tmp_path / "{YYYY}-{MM}.csv")
    with pytest.raises(DataError, match="no span 2024-02"):
        open_source(pattern).list_files("2024-01..2024-03")
    found = open_source(pattern, "skip").list_files("2024-01..2024-03")
    assert [file.span for file in found] == [202401, 202403]


def test_other_file_systems_are_listed_alike() -> None:
    memory = fsspec.filesystem("memory")
    for day in ("01", "02"):
        memory.pipe(f"/spans/date=2024-06-{day}/part-0.csv", b"a,y\n1,0\n")
    source = open_source("memory://spans/date={YYYY}-{MM}-{DD}/")
    assert [(file.span, file.name) for file in source.list_files("last 1")] == [
        (20240602, "date=2024-06-02/part-0.csv")
    ]
