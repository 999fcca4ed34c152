"""Files and tables that Naru did not write, or that a person changed since, are never replaced or removed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError
from components.predict import predict
from components.predict.destinations.contract import Output
from components.predict.versions import ModelVersion
from tests.components.core.store.s3_stub import serving
from tests.components.predict.conftest import Versions
from tests.components.predict.made import content, read, run, table


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Rows of which one is rejected."""
    month = [None, *table(30)["month"].to_pylist()[1:]]
    pq.write_table(table(30).set_column(2, "month", pa.array(month)), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def _other(model: ModelVersion) -> ModelVersion:
    return ModelVersion("8", model.folder, model.digest)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.rejected.jsonl", "a.csv.manifest.json"])
@pytest.mark.parametrize("replace", [False, True])
def test_a_file_without_a_manifest_stays(
    replace: bool, name: str, tmp_path: Path, source: Path, versions: Versions
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text('{"mine": 1}')
    with pytest.raises(ConfigError, match="something else is there"):
        run(source, tmp_path / "out" / "a.csv", versions(), tmp_path / "store", replace=replace)
    assert content(tmp_path / "out") == {name: b'{"mine": 1}'}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.rejected.jsonl"])
@pytest.mark.parametrize("is_other", [False, True])
def test_a_file_that_a_person_edited_stays(
    is_other: bool, name: str, tmp_path: Path, source: Path, versions: Versions
) -> None:
    run(source, tmp_path / "out" / "a.csv", versions(), tmp_path / "store")
    (tmp_path / "out" / name).write_text("edited")
    before = content(tmp_path / "out")
    model = _other(versions()) if is_other else versions()
    with pytest.raises(ConfigError, match="is not a file as Naru wrote it"):
        run(source, tmp_path / "out" / "a.csv", model, tmp_path / "store", replace=is_other)
    assert content(tmp_path / "out") == before


def test_a_replacement_that_was_killed_is_continued(
    tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the manifest and the files: they are those that the manifest replaces, and no person's."""
    output, kills, rename = tmp_path / "out" / "a.csv", 0, os.replace
    for name in ("a.csv.manifest.json", "a.csv.rejected.jsonl"):
        run(source, output, versions(), tmp_path / "store", replace=True)

        def dying(old: Any, new: Any, name: str = name) -> None:
            nonlocal kills
            rename(old, new)
            if Path(new).name == name:
                kills += 1
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying)
            with pytest.raises(KeyboardInterrupt):
                run(source, output, _other(versions()), tmp_path / "store", replace=True)
        run(source, output, _other(versions()), tmp_path / "store")
        assert set(read(output)["model_version"].to_pylist()) == {"8"}
        assert run(source, output, _other(versions()), tmp_path / "store").was_complete
    assert kills == 2


@pytest.mark.parametrize("name", ["out", "out.csv"])
def test_of_two_equal_runs_at_once_both_end_well(
    name: str, tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second runs to its end just before the first gives the output its name."""
    opened = predict.open_destination

    def publish(self: Any, batch: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(type(self), "publish", original)
            run(source, tmp_path / name, versions(), tmp_path / "store")
        original(self, batch)

    kind = type(opened(Output(str(tmp_path / name))))
    original = kind.publish
    monkeypatch.setattr(kind, "publish", publish)
    run(source, tmp_path / name, versions(), tmp_path / "store")
    assert len(read(tmp_path / name)) == 29
    assert not list((tmp_path / "store" / "tiny" / "predictions").iterdir())


def test_a_file_that_appears_while_rows_are_answered_stays(
    tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict.ScoringTable, "check_unchanged", lambda self: (tmp_path / "a.csv").write_text("mine"))
    with pytest.raises(ConfigError, match="something else is there"):
        run(source, tmp_path / "a.csv", versions(), tmp_path / "store")
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path, source: Path, versions: Versions) -> None:
    (tmp_path / "disk" / "answers").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "answers")
    for model in (versions(), _other(versions())):
        run(source, tmp_path / "out", model, tmp_path / "store", replace=True)
        assert set(read(tmp_path / "disk" / "answers")["model_version"].to_pylist()) == {model.version}
    assert (tmp_path / "out").is_symlink() and not list(tmp_path.rglob(".*naru*"))


@pytest.mark.parametrize("is_other", [False, True])
@pytest.mark.parametrize("name", ["NOTES.md", "_rejected/mine.jsonl", "part"])
def test_a_folder_with_a_file_of_a_person_stays(
    name: str, is_other: bool, tmp_path: Path, source: Path, versions: Versions
) -> None:
    output = tmp_path / "out"
    run(source, output, versions(), tmp_path / "store")
    (part,) = output.glob("part-*")
    if name == "part":
        part.write_bytes(b"edited")
        (next((output / "_rejected").iterdir())).unlink()
    else:
        part.unlink()
        (output / name).write_text("mine")
    before = content(output)
    model = _other(versions()) if is_other else versions()
    with pytest.raises(ConfigError, match="is not a file as Naru wrote it"):
        run(source, output, model, tmp_path / "store", replace=is_other)
    assert content(output) == before


def test_an_object_of_a_person_stays(
    tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("atomic") as s3:
        for key, value in s3.environment.items():
            monkeypatch.setenv(key, value)
        run(source, "s3://bucket/out", versions(), tmp_path / "store")
        s3.objects["/bucket/out/NOTES.md"] = (b"mine", 0.0)
        before = dict(s3.objects)
        with pytest.raises(ConfigError, match=r"NOTES\.md"):
            run(source, "s3://bucket/out", _other(versions()), tmp_path / "store", replace=True)
        assert s3.objects == before
        del s3.objects["/bucket/out/NOTES.md"]
        run(source, "s3://bucket/out", _other(versions()), tmp_path / "store", replace=True)
        assert len([name for name in s3.objects if name.startswith("/bucket/out/")]) == 3


@pytest.mark.parametrize("name", ["Answers", "answers_rejected", "ANSWERS_REJECTED"])
def test_a_table_of_a_person_stays(name: str, tmp_path: Path, source: Path, versions: Versions) -> None:
    database = tmp_path / "a.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"CREATE TABLE {name} AS SELECT 1 AS mine")
        connection.commit()
    for replace in (False, True):
        with pytest.raises(ConfigError, match="something else is there"):
            run(source, f"sqlite:///{database}", versions(), tmp_path / "store", table="answers", replace=replace)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [(name,)]


def test_the_name_of_a_table_is_the_same_in_upper_case(tmp_path: Path, source: Path, versions: Versions) -> None:
    location = f"sqlite:///{tmp_path / 'a.db'}"
    run(source, location, versions(), tmp_path / "store", table="answers")
    run(source, location, _other(versions()), tmp_path / "store", table="ANSWERS", replace=True)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT table_name FROM naru_predictions").fetchall() == [("ANSWERS",)]
