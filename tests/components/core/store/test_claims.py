"""One of many writers acts, on a folder and on any S3; a writer that dies in its turn does not block the others for ever."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from components._core.store import claims
from components._core.store.claims import Claims
from components._core.store.filesystems import open_filesystem
from tests.components.core.store.s3_stub import S3Stub, serving

WRITERS = 16
FOLDER = "s3://naru/store/p/claims"


@pytest.fixture(params=["atomic", "ignored"])
def s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Stub]:
    monkeypatch.setattr(claims, "_PAUSE", 0.05)
    with serving(request.param) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def act_once(folder: str, holder: str, done: str, start: Callable[[], object]) -> bool:
    """Leave a file where nobody did, as a promotion leaves a line."""
    start()
    with Claims(folder, holder).turn("first", lambda: bool(_listed(done))) as ours:
        if ours:
            files, path = open_filesystem(done)
            files.makedirs(path, exist_ok=True)
            files.pipe_file(f"{path}/{holder}", b"done")
    return ours


def _listed(folder: str) -> list[str]:
    files, path = open_filesystem(folder)
    try:
        return [str(name) for name in files.ls(path, detail=False)]
    except FileNotFoundError:
        return []


def _process(folder: str, holder: str, done: str, start: "multiprocessing.synchronize.Barrier") -> None:
    act_once(folder, holder, done, start.wait)


def test_of_sixteen_processes_one_acts_in_a_folder_and_none_waits_for_a_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "SETTLE", 1000)
    context = multiprocessing.get_context("fork")
    start = context.Barrier(WRITERS)
    done = str(tmp_path / "done")
    writers = [
        context.Process(target=_process, args=(str(tmp_path / "claims"), f"w{n}", done, start)) for n in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert len(_listed(done)) == 1


@pytest.mark.usefixtures("s3")
def test_of_sixteen_one_acts_on_an_s3_whatever_a_condition_is_worth_there() -> None:
    start = Barrier(WRITERS)
    done = "s3://naru/store/p/done"
    with ThreadPoolExecutor(WRITERS) as pool:
        acted = list(pool.map(lambda n: act_once(FOLDER, f"w{n}", done, start.wait), range(WRITERS)))
    assert sum(acted) == 1 and len(_listed(done)) == 1


@pytest.mark.slow
def test_a_claim_that_lands_after_the_winner_looked_does_not_win(s3: S3Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name sorts first, but the store dates it later."""
    names = iter(["b", "a"])
    monkeypatch.setattr(claims, "make_nonce", lambda: next(names))
    with Claims(FOLDER, "first").turn("k", lambda: False) as first:
        late = time.monotonic() + claims.SETTLE + 1
        second = _turn("second", lambda: time.monotonic() > late)
    assert (first, second) == (True, False)
    assert sorted(key.rpartition("/")[2] for key in s3.objects) == ["a.json", "b.json"]


def _turn(holder: str, is_decided: Callable[[], bool]) -> bool:
    with Claims(FOLDER, holder).turn("k", is_decided) as ours:
        return ours


def _die_in_turn(folder: str) -> None:
    with Claims(folder, "dead").turn("k", lambda: False):
        os.kill(os.getpid(), signal.SIGKILL)


def test_in_a_folder_a_writer_that_is_killed_in_its_turn_lets_it_go_at_once(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_die_in_turn, args=(str(tmp_path),))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with Claims(str(tmp_path), "other").turn("k", lambda: False) as ours:
        assert ours


def test_on_an_s3_the_claim_of_a_dead_writer_counts_until_it_expires(
    s3: S3Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died long ago, but for half a second; so does a waiting writer claim again meanwhile."""
    s3.step = 0.05
    s3.objects["/naru/store/p/claims/k/0.json"] = (json.dumps({"holder": "dead"}).encode(), time.time() - 19.5)
    monkeypatch.setattr(claims, "SETTLE", 0.1)
    monkeypatch.setattr(claims, "HURRY", 0.35)
    monkeypatch.setattr(claims, "EXPIRY", 20.0)
    began = time.monotonic()
    assert _turn("other", lambda: False)
    assert time.monotonic() - began > 0.25, "it was waited for"
    assert len(s3.objects) == 2, "what was claimed again was withdrawn"


def test_a_second_try_of_the_same_goes_on_with_the_claim_of_the_first(
    s3: S3Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "SETTLE", 0.1)
    s3.objects["/naru/store/p/claims/k/0.json"] = (json.dumps({"holder": "1 m"}).encode(), time.time())
    began = time.monotonic()
    assert _turn("1 m", lambda: False)
    assert time.monotonic() - began < claims.SETTLE + 5


def test_who_comes_when_all_is_decided_leaves_no_claim(s3: S3Stub) -> None:
    assert not _turn("late", lambda: True)
    assert not s3.objects


def test_a_file_system_without_locks_takes_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "SETTLE", 0.05)

    def refuse(*_: object) -> None:
        raise OSError(claims._WITHOUT_LOCKS[0], "no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with Claims(str(tmp_path), "one", {"version": "1"}).turn("k", lambda: False) as ours:
        assert ours
    (claim,) = (tmp_path / "k").iterdir()
    assert json.loads(claim.read_text()) == {"holder": "one", "version": "1"}
