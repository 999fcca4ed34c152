"""A path is used as written, whatever characters it has, and its address leads back to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from components._core.files import write_text
from components._core.settings import sqlite_path, sqlite_uri
from components._core.store.filesystems import open_filesystem
from components._core.store.ledger import Deployment, append_deployment, current_champion
from components._core.store.object_store import absolute_uri, fetch, fetch_file, find_missing, put, read_bytes, upload

ODD = [
    "a b",
    "a%20b",
    "100%",
    "a#b",
    "a?b",
    "a?b=c&d",
    "$HOME",
    "`x`",
    "a;b",
    "a'b",
    'a"b',
    "é ü",
    "日本",
    "a::b",
    "a:b",
    "[a]*",
    "~",
    "a\\b",
    "a@b",
    "{x}",
]


@pytest.fixture(params=ODD)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made: Path = tmp_path / request.param
    made.mkdir()
    return made


def test_what_is_stored_lies_in_the_folder_and_is_found_there(folder: Path) -> None:
    write_text(folder / "source" / "x y%41.txt", "text")
    for root in (str(folder / "store"), absolute_uri(str(folder / "store"))):
        assert upload(folder / "source", f"{root}/model") == upload(folder / "source", f"{root}/model")
        put(b"more", f"{root}/more")
        assert fetch(f"{root}/model", folder / "none") == folder / "store" / "model"
        assert fetch_file(f"{root}/more", folder / "none") == folder / "store" / "more"
        assert read_bytes(f"{root}/more") == b"more"
        assert find_missing(root, ["more", "less"]) == [f"{root}/less"]
    assert (folder / "store" / "model" / "x y%41.txt").read_text() == "text"
    assert list(folder.parent.iterdir()) == [folder]


def test_the_ledger_of_a_store_there_is_inside_it(folder: Path) -> None:
    line = Deployment("1", f"{absolute_uri(str(folder))}/model", "", "", {}, "f", "run", "", "me", "a test")
    append_deployment(str(folder), "p", line)
    assert current_champion(str(folder), "p") == current_champion(absolute_uri(str(folder)), "p") == line
    assert list(folder.parent.iterdir()) == [folder]


def test_a_database_there_is_inside_it(folder: Path) -> None:
    uri = sqlite_uri(folder / "mlflow.db")
    with create_engine(uri).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    assert sqlite_path(uri) == folder / "mlflow.db"
    seen = Path(uri.removeprefix("sqlite:///")).parent  # MLflow makes this folder, as it stands in the address
    assert seen in (folder, Path())
    assert [path.name for path in folder.iterdir()] == ["mlflow.db"]
    assert list(folder.parent.iterdir()) == [folder]
    with sqlite3.connect(folder / "mlflow.db") as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]


def test_what_an_earlier_naru_kept_in_the_odd_folder_beside_it_is_read_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, odd = tmp_path / "my project", tmp_path / "my%20project"
    uri = absolute_uri(str(home / "store" / "model"))
    assert "my%20project" in uri
    write_text(odd / "store" / "model" / "old", "old")
    (home / "store").mkdir(parents=True)
    for _ in range(2):
        assert fetch(uri, tmp_path / "none") == odd / "store" / "model"
    printed = capsys.readouterr().err
    assert printed.count("an earlier Naru kept files of") == 1
    assert str(odd) in printed and str(home) in printed
    put(b"new", f"{uri}-2/new")
    assert (home / "store" / "model-2" / "new").read_bytes() == b"new"
    write_text(home / "store" / "model" / "old", "moved")
    assert fetch(uri, tmp_path / "none") == home / "store" / "model"


def test_other_addresses_are_opened_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_filesystem("some/folder")[1] == str(tmp_path / "some" / "folder")
    assert open_filesystem("memory://x/y")[0].protocol == "memory"
    with pytest.raises(ValueError, match="Protocol not known"):
        open_filesystem("nowhere://x")
