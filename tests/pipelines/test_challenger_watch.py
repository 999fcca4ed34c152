"""The watch of `naru serve` over the version under test: an error of a look ends neither the looks nor the starts of its server."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import components.deploy.settle.look
import pipelines.challenger_server
from components._core.files import write_text
from components._core.project.project_file import load_project
from components._core.settings import Settings
from components._core.store.live_tests import LiveTest, LiveTestRecord
from components.deploy.live_test.settle import Look
from pipelines.challenger_server import ChallengerServer
from tests.pipelines.live_testing import SHADOW

BEGAN = LiveTestRecord(
    "began",
    "2026-01-01T00:00:00+00:00",
    "2",
    mode="shadow",
    settings={"share": 1.0},
    needed=20,
    until="2026-01-02T00:00:00+00:00",
    champion=["1", "m"],
    deployment={"model": "n"},
    line="000001-a",
)
ENDED = LiveTestRecord("ended", "2026-01-01T10:00:00+00:00", "2", test="000001-a", verdict="refused", reason="too slow")
GOES_ON, IS_OVER = Look(LiveTest(BEGAN)), Look(LiveTest(BEGAN, ENDED))


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Watch a process that only sleeps, with looks that are given."""

    @contextmanager
    def watch(look: Callable[[], Look]) -> Iterator[ChallengerServer]:
        def given(project: object, settings: object, folder: Path, now: datetime) -> Look:
            return look()

        monkeypatch.setattr(components.deploy.settle.look, "look", given)
        write_text(tmp_path / "project.yaml", SHADOW)
        command = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
        settings = Settings(str(tmp_path / "store"), "")
        project = load_project(tmp_path)
        server = ChallengerServer(command, tmp_path / "log", LiveTest(BEGAN), project, settings, tmp_path, 0.01)
        try:
            yield server
        finally:
            server.close()

    return watch


def wait_for(is_there: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_any_error_of_a_look_is_said_once_and_the_looks_go_on(
    watched: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    looks: list[int] = []

    def look() -> Look:
        looks.append(1)
        if len(looks) <= 3:
            raise RuntimeError("no codec of that name")
        return IS_OVER if len(looks) > 5 else GOES_ON

    with watched(look) as server:
        wait_for(lambda: not server._thread.is_alive())
    out, err = capsys.readouterr()
    assert err.splitlines() == ["naru: serve: cannot judge the live test: RuntimeError: no codec of that name"]
    assert "The live test has ended." in out and "refused on 2026-01-01 10:00 UTC: too slow" in out
    assert server._process.returncode is not None and len(looks) == 6


def test_the_watch_ends_where_another_test_has_begun_since_the_last_look(
    watched: Callable[..., Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LiveTest(replace(BEGAN, line="000003-b"))
    monkeypatch.setattr(pipelines.challenger_server, "read_live_tests", lambda *_: [LiveTest(BEGAN, ENDED), other])
    with watched(lambda: Look(other)) as server:
        wait_for(lambda: not server._thread.is_alive())
        assert server._process.returncode is not None, "its server would answer copies of a test that is over"
    assert "refused on 2026-01-01 10:00 UTC: too slow" in capsys.readouterr().out


def test_a_server_that_cannot_be_started_again_is_said_and_tried_again(
    watched: Callable[..., Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched(lambda: GOES_ON) as server:
        first, start = server._process, server._start
        tries: list[int] = []

        def start_later() -> Any:
            tries.append(1)
            if len(tries) < 3:
                raise OSError(12, "Cannot allocate memory")
            return start()

        monkeypatch.setattr(server, "_start", start_later)
        first.kill()
        wait_for(lambda: server._process is not first)
        assert server._process.poll() is None
    err = capsys.readouterr().err
    assert err.count("cannot start the server of version 2 again: OSError: [Errno 12] Cannot allocate memory") == 1


def test_looks_that_take_long_are_further_apart_and_the_server_is_watched_all_the_same(
    watched: Callable[..., Any],
) -> None:
    looks: list[int] = []

    def look() -> Look:
        looks.append(1)
        time.sleep(0.25)  # the one after the second is due five seconds later
        return GOES_ON

    with watched(look) as server:
        wait_for(lambda: server._next_look > 0)
        first = server._process
        first.kill()
        wait_for(lambda: server._process is not first)
        assert len(looks) == 2


def test_the_end_waits_for_a_look_in_progress(watched: Callable[..., Any]) -> None:
    begun, ends = threading.Event(), []

    def look() -> Look:
        begun.set()
        time.sleep(0.3)
        ends.append(1)
        return GOES_ON

    with watched(look) as server:
        assert begun.wait(60)
    assert ends == [1] and not server._thread.is_alive()
