import os
import zipfile
from pathlib import Path

import fsspec
import pytest

from components._core.errors import ConfigError, DataError
from components._data.sources.registry import open_source


@pytest.fixture
def spans(tmp_path: Path) -> str:
    for number in ("01", "02", "03", "07"):
        (tmp_path / f"part-{number}.csv").write_text("a,y\n1,0\n")
    (tmp_path / "part-final.csv").write_text("not a span")
    return str(tmp_path / "part-{span}.csv")


def test_files_come_in_the_order_of_their_spans(spans: str) -> None:
    assert [file.span for file in open_source(spans).list_files("all")] == [1, 2, 3, 7]


def test_spans_need_their_place_in_the_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no \{span\}"):
        open_source(str(tmp_path / "one.csv")).list_files("2")


def test_a_missing_file_is_reported_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file"):
        open_source(str(tmp_path / "nowhere.csv")).list_files("all")


def test_a_folder_is_all_its_files_but_hidden_ones(tmp_path: Path) -> None:
    for name in ("_SUCCESS", ".part-1.crc", "_tmp/part-9.csv", "b=2/part-1.csv", "part-2.csv.gz", "part-1.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = open_source(str(tmp_path)).list_files("all")
    assert [file.name for file in files] == ["b=2/part-1.csv", "part-1.csv", "part-2.csv.gz"]
    assert [file.partition for file in files] == [(("b", "2"),), (), ()] and {file.span for file in files} == {1}


@pytest.mark.parametrize(
    ("names", "message"),
    [([], "a folder without files"), (["a.csv", "b.csv", "README.md"], r"several kinds: 2 \.csv, 1 \.md")],
)
def test_a_folder_without_one_kind_of_files_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message):
        open_source(str(tmp_path)).list_files("all")


@pytest.mark.parametrize("source", ["nowhere://bucket/t.csv", "nowhere://bucket/t-{span}.csv"])
def test_an_unknown_kind_of_url_is_reported(source: str) -> None:
    with pytest.raises(ConfigError, match=r"Protocol not known: nowhere\n  -> "):
        open_source(source).list_files("all")


def test_two_files_of_one_span_are_refused(spans: str, tmp_path: Path) -> None:
    (tmp_path / "part-1.csv").write_text("a,y\n1,0\n")
    with pytest.raises(DataError, match="two files for span 1"):
        open_source(spans).list_files("all")


def test_the_source_has_another_fingerprint_when_a_file_changes(spans: str, tmp_path: Path) -> None:
    before = open_source(spans).fingerprint("1-2")
    assert open_source(spans).fingerprint("1-2") == before
    (tmp_path / "part-02.csv").write_text("a,y\n1,0\n2,1\n")
    assert open_source(spans).fingerprint("1-2") != before


def test_a_file_changed_in_place_with_its_size_and_time_kept_has_another_fingerprint(
    spans: str, tmp_path: Path
) -> None:
    file = tmp_path / "part-02.csv"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    before = open_source(spans).fingerprint("1-2")
    file.write_text("a,y\n1,9\n")
    os.utime(file, ns=times)
    changed = open_source(spans).fingerprint("1-2")
    other = tmp_path / "other"
    other.write_text("a,y\n1,5\n")
    os.utime(other, ns=times)
    other.replace(file)
    assert len({before, changed, open_source(spans).fingerprint("1-2")}) == 3


def test_a_file_system_without_tags_is_known_by_content() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/tags/t.csv", b"a,y\n1,0\n")
    before = open_source("memory://tags/t.csv").fingerprint("all")
    memory.store["/tags/t.csv"].seek(6)
    memory.store["/tags/t.csv"].write(b"9")
    assert open_source("memory://tags/t.csv").fingerprint("all") != before


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_two_colons_in_a_path_are_part_of_a_name(tmp_path: Path, scheme: str) -> None:
    folder = tmp_path / "of::2024"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"a::b-{number}.csv").write_text("a,y\n1,0\n")
    found = open_source(f"{scheme}{folder}/a::b-{{span}}.csv").list_files("all")
    assert [file.name for file in found] == ["a::b-1.csv", "a::b-2.csv"]
    assert open_source(f"{scheme}{folder}/a::b-1.csv").list_files("all")[0].path == str(folder / "a::b-1.csv")


def test_file_systems_upon_one_another_are_still_a_source(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", "a,y\n1,0\n")
    source = f"zip://t.csv::file://{tmp_path}/t.zip"
    assert open_source(source).list_files("all")[0].path == "t.csv"
    with pytest.raises(DataError, match="there is no such file"):
        open_source(source.replace("t.zip", "none.zip")).list_files("all")
