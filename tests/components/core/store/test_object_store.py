"""Atomic upload and download of files and folders."""

from pathlib import Path

import pytest

from components._core.errors import ServiceError
from components._core.files import hash_file, write_text
from components._core.store.object_store import absolute_uri, create, fetch, fetch_file, upload


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_text(tmp_path / "folder" / "a.txt", "a")
    write_text(tmp_path / "folder" / "below" / "b.txt", "b")
    return tmp_path / "folder"


def test_a_folder_is_copied_with_its_hashes(folder: Path, tmp_path: Path) -> None:
    hashes = upload(folder, str(tmp_path / "store"))
    assert hashes == {"a.txt": hash_file(folder / "a.txt"), "below/b.txt": hash_file(folder / "below" / "b.txt")}
    assert (tmp_path / "store" / "below" / "b.txt").read_text() == "b"


def test_a_file_gets_the_requested_name(folder: Path, tmp_path: Path) -> None:
    upload(folder / "a.txt", absolute_uri(str(tmp_path / "store" / "z.txt")))
    assert (tmp_path / "store" / "z.txt").read_text() == "a"


def test_what_is_there_whole_is_not_written_again(folder: Path, tmp_path: Path) -> None:
    upload(folder, str(tmp_path / "store"))
    before = (tmp_path / "store" / "a.txt").stat().st_ino
    write_text(tmp_path / "store" / "below" / "b.txt", "damaged")
    upload(folder, str(tmp_path / "store"))
    assert (tmp_path / "store" / "a.txt").stat().st_ino == before
    assert (tmp_path / "store" / "below" / "b.txt").read_text() == "b"


def test_a_store_elsewhere_is_copied_here(folder: Path, tmp_path: Path) -> None:
    upload(folder, "memory://bucket/model")
    here = fetch("memory://bucket/model", tmp_path / "here")
    assert (here / "below" / "b.txt").read_text() == "b"


def test_a_store_on_this_machine_is_used_in_place(folder: Path, tmp_path: Path) -> None:
    assert fetch(absolute_uri(str(folder)), tmp_path / "unused") == folder
    assert not (tmp_path / "unused").exists()


def test_a_file_of_a_store_elsewhere_is_copied_here_and_one_on_this_machine_is_used_in_place(
    folder: Path, tmp_path: Path
) -> None:
    upload(folder / "a.txt", "memory://bucket/code/a.txt")
    here = fetch_file("memory://bucket/code/a.txt", tmp_path / "here")
    assert (here.name, hash_file(here)) == ("a.txt", hash_file(folder / "a.txt"))
    assert fetch_file(str(folder / "a.txt"), tmp_path / "unused") == folder / "a.txt"


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no such file"):
        fetch_file("memory://bucket/code/gone.zip", tmp_path)


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no such folder") as caught:
        fetch(str(tmp_path / "gone"), tmp_path / "here")
    assert "gone" in caught.value.where


def test_an_object_is_created_once_and_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.json"
    assert create(b"one", str(target)) and not create(b"two", str(target))
    assert target.read_bytes() == b"one" and list(target.parent.iterdir()) == [target]
    assert create(b"one", str(target)), "a write whose confirmation was lost is recognised by its content"
