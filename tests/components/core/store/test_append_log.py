"""A log loses no line: with concurrent writers, on any S3, and with lines of an earlier Naru."""

import json
import multiprocessing
import os
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from components._core.errors import UnavailableError
from components._core.store.append_log import AppendLog
from components._core.store.conditional_writes import KEPT, check_conditional_writes
from components._core.store.s3 import S3FileSystem
from tests.components.core.store.s3_stub import S3Stub, serving

WRITERS = 16
S3_STORE = "s3://naru/store"


def log_in(store: str, name: str = "deployments") -> AppendLog:
    return AppendLog(f"{store}/p/{name}", "the deployment ledger", store)


def numbers(log: AppendLog) -> list[int]:
    return [json.loads(content)["n"] for _, content in log.read()]


@pytest.fixture(params=["atomic", "ignored", "checked before the write"])
def s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Stub]:
    with serving(request.param) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_lines_are_read_in_the_order_in_which_one_writer_wrote_them(tmp_path: Path) -> None:
    log = log_in(str(tmp_path))
    names = [Path(log.append({"n": number})).name for number in range(12)]
    assert numbers(log) == list(range(12))
    assert [re.fullmatch(r"(\d{6})-[0-9a-f]{24}\.json", name)[1] for name in names] == [
        f"{n:06d}" for n in range(1, 13)
    ]  # type: ignore[index]
    assert [json.loads(content)["n"] for _, content in log.read(last=2)] == [10, 11]
    assert log.last_name() == names[-1]


def test_lines_of_an_earlier_naru_are_read_among_those_of_now(tmp_path: Path) -> None:
    folder = tmp_path / "p" / "deployments"
    folder.mkdir(parents=True)
    for number in (1, 2, 999_999):
        (folder / f"{number:06d}.json").write_text(json.dumps({"n": number}))
    log = log_in(str(tmp_path))
    assert Path(log.append({"n": 1_000_000})).name.startswith("1000000-")
    assert numbers(log) == [1, 2, 999_999, 1_000_000], "by number, not by name"


@pytest.mark.parametrize("stray", [".000001.json", "000001.json.damaged", "1.json", "000001-.json", "000001-a.txt"])
def test_what_is_not_named_as_a_line_is_not_read(tmp_path: Path, stray: str) -> None:
    (tmp_path / "p" / "deployments").mkdir(parents=True)
    (tmp_path / "p" / "deployments" / stray).write_text("{")
    assert log_in(str(tmp_path)).read() == []


def test_of_one_number_the_earlier_line_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "p" / "deployments"
    folder.mkdir(parents=True)
    for name in ("000001-000000000002ff", "000001-000000000003aa", "000001", "000001-000000000001ff"):
        (folder / f"{name}.json").write_text(json.dumps({"name": name}))
    read = [json.loads(content)["name"] for _, content in log_in(str(tmp_path)).read()]
    assert read == ["000001", "000001-000000000001ff", "000001-000000000002ff", "000001-000000000003aa"]


def append_one(store: str, number: int, start: "multiprocessing.synchronize.Barrier") -> None:
    start.wait()
    log_in(store).append({"n": number})


def test_of_sixteen_processes_that_write_at_once_to_a_folder_none_loses_its_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(WRITERS)
    writers = [context.Process(target=append_one, args=(str(tmp_path), n, start)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert sorted(numbers(log_in(str(tmp_path)))) == list(range(WRITERS))
    assert not list((tmp_path / "p" / "deployments").glob(".*"))


@pytest.mark.usefixtures("s3")
def test_of_sixteen_that_write_at_once_to_an_s3_none_loses_its_line_whatever_a_condition_is_worth_there() -> None:
    start = Barrier(WRITERS)

    def append(number: int) -> str:
        start.wait()
        return log_in(S3_STORE).append({"n": number})

    with ThreadPoolExecutor(WRITERS) as pool:
        uris = list(pool.map(append, range(WRITERS)))
    assert len(set(uris)) == WRITERS and all(uri.startswith(f"{S3_STORE}/p/deployments/") for uri in uris)
    assert sorted(numbers(log_in(S3_STORE))) == list(range(WRITERS))


def test_a_409_is_tried_again_and_one_that_stays_is_reported(s3: S3Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components._core.store.s3._CONFLICT_PAUSES", (0.01, 0.01))
    s3.conflicts = 2
    log_in(S3_STORE).append({"n": 1})
    assert (s3.conflicts, numbers(log_in(S3_STORE))) == (0, [1])
    s3.conflicts = 3
    with pytest.raises(UnavailableError, match="other writers keep changing the same object"):
        log_in(S3_STORE).append({"n": 2})


@pytest.mark.usefixtures("s3")
def test_a_write_whose_first_answer_was_lost_leaves_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client sends it again, and the server says that the object is there: it is our own."""
    real = S3FileSystem.pipe_file

    def twice(self: S3FileSystem, path: str, value: bytes, mode: str = "overwrite") -> None:
        real(self, path, value, mode=mode)
        real(self, path, value, mode=mode)

    monkeypatch.setattr(S3FileSystem, "pipe_file", twice)
    log_in(S3_STORE).append({"n": 1})
    assert numbers(log_in(S3_STORE)) == [1]


def test_a_store_is_probed_once_and_one_that_ignores_conditions_is_reported_until_it_honours_them(s3: S3Stub) -> None:
    honours = s3.conditions == "atomic"
    check = check_conditional_writes(S3_STORE)
    assert (check is None) == honours
    if check is not None:
        assert check.status == "warn" and "does not honour If-None-Match" in check.reason and check.measured == 4
    assert [path.rpartition("/")[2] for path in s3.objects] == [KEPT], "the probe is removed, its answer kept"
    s3.conditions = "ignored" if honours else "atomic"
    again = check_conditional_writes(S3_STORE)
    assert again is None, "it was good and is not probed again, or it was bad and is good now"


def test_a_folder_is_not_probed(tmp_path: Path) -> None:
    assert check_conditional_writes(str(tmp_path)) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_a_line_may_be_read_by_whom_the_umask_lets(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        line = Path(log_in(str(tmp_path)).append({"n": 1}))
    finally:
        os.umask(before)
    assert stat.S_IMODE(line.stat().st_mode) == mode
