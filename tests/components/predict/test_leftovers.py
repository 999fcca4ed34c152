"""What killed predictions leave, and who removes it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components._core.temporary_folders import locked
from components.predict import predict
from tests.components.core.store.s3_stub import serving
from tests.components.predict.conftest import Versions
from tests.components.predict.made import read, run, table

DAY = 86_400


class KilledError(BaseException):
    """What SIGKILL is to the tests."""


def kill(source: Path, output: str, versions: Versions, store: Any) -> None:
    """Predict until all parts are there, and no further."""

    def dying(self: Any) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict.ScoringTable, "check_unchanged", dying)
        with pytest.raises(KilledError):
            run(source, output, versions(), store)


def make_older(folder: Path, days: float) -> None:
    for path in [*folder.rglob("*"), folder]:
        status = path.stat()
        os.utime(path, (status.st_atime - days * DAY, status.st_mtime - days * DAY))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pq.write_table(table(30), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_work_that_nobody_goes_on_with_is_removed_after_two_weeks(
    tmp_path: Path, source: Path, versions: Versions
) -> None:
    work = tmp_path / "store" / "tiny" / "predictions"
    kill(source, str(tmp_path / "old"), versions, tmp_path / "store")
    make_older(work, 15)
    kill(source, str(tmp_path / "young"), versions, tmp_path / "store")
    assert len(list(work.iterdir())) == 1, "the old one is gone, with its folder"
    make_older(work, 13)
    run(source, tmp_path / "other", versions(), tmp_path / "store")
    assert len(list(work.iterdir())) == 1
    run(source, tmp_path / "young", versions(), tmp_path / "store")
    assert not list(work.iterdir()) and read(tmp_path / "young").num_rows == 30


def test_old_work_that_goes_on_is_not_removed_by_another_batch(
    tmp_path: Path, source: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(source, str(tmp_path / "old"), versions, tmp_path / "store")
    make_older(tmp_path / "store", 30)
    answer = predict._answer_parts

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(predict, "_answer_parts", answer)
        run(source, tmp_path / "other", versions(), tmp_path / "store")
        return answer(*arguments)

    monkeypatch.setattr(predict, "_answer_parts", meanwhile)
    run(source, tmp_path / "old", versions(), tmp_path / "store")
    assert read(tmp_path / "old").num_rows == read(tmp_path / "other").num_rows == 30


def test_the_same_in_an_object_store(tmp_path: Path, source: Path, versions: Versions) -> None:
    with serving("atomic") as s3, pytest.MonkeyPatch.context() as patch:
        for key, value in s3.environment.items():
            patch.setenv(key, value)
        for name, days in (("old", 15), ("young", 1)):
            kill(source, str(tmp_path / name), versions, "s3://bucket/store")
            then = time.time() - days * DAY
            s3.objects.update({key: (held, min(at, then)) for key, (held, at) in s3.objects.items()})
        run(source, tmp_path / "other", versions(), "s3://bucket/store")
        left = {key.split("/")[5] for key in s3.objects if "/predictions/" in key}
        assert len(left) == 1
        run(source, tmp_path / "young", versions(), "s3://bucket/store")
        assert not [key for key in s3.objects if "/predictions/" in key]


def test_unfinished_files_beside_an_output_are_removed_when_no_process_writes_them(
    tmp_path: Path, source: Path, versions: Versions
) -> None:
    left, held, young, foreign = (
        tmp_path / f".answers.csv.{digit * 16}" if digit != "x" else tmp_path / ".answers.csv.backup"
        for digit in "abcx"
    )
    for path in (left, held, young, foreign):
        path.write_text("unfinished")
    for path in (left, held, foreign):
        os.utime(path, (1, 1))
    with locked(held):
        run(source, tmp_path / "answers.csv", versions(), tmp_path / "store")
    assert not left.exists() and held.exists() and young.exists() and foreign.exists()
    assert read(tmp_path / "answers.csv").num_rows == 30
