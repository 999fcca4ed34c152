"""Whatever the processes of a run leave in the temporary folder goes with the run, also when it was killed."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.local import process_guard
from pipelines.local.python_shim import python_shim


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_FORK", "0")
    for name in ("NARU_PYTHON", "NARU_FORKSERVER", "TMPDIR", process_guard.ALIVE):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that what a run sets is undone


def test_a_process_of_a_run_keeps_temporary_files_in_the_runs_own_folder(tmp_path: Path) -> None:
    with python_shim(tmp_path / "log", server_now=False) as interpreter:
        made = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
        code = "import os, tempfile; print(tempfile.mkdtemp(), flush=True); os._exit(0)"
        command = [interpreter, "-c", code]
        also = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        for folder in (made, also):
            assert Path(folder).is_dir() and interpreter.parent in Path(folder).parents
    assert not interpreter.parent.exists()


@pytest.mark.parametrize("name", ["with a space", "a;semicolon", "l" * 90])
def test_a_temporary_folder_that_no_shell_or_socket_could_name_is_not_used(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    with python_shim(tmp_path / "log", server_now=False) as interpreter:
        assert interpreter.parent.parent == Path("/tmp")
        assert Path(os.environ["TMPDIR"]).parent == interpreter.parent


def test_who_finds_the_run_killed_removes_its_folder_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("naru-x1", "other"):
        (tmp_path / name / "tmp").mkdir(parents=True)
        monkeypatch.setenv(process_guard.ALIVE, str(tmp_path / name / "alive"))
        process_guard.remove_run_folder()
    monkeypatch.delenv(process_guard.ALIVE)
    process_guard.remove_run_folder()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's, which pytest's own is not where several processes share the tests."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def test_the_next_run_sweeps_folders_of_dead_runs_and_no_other(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path = short_path
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("naru-dead", "naru-live", "naru-watched", "naru-just-made", "naru-old", "naru-other", "other"):
        (tmp_path / name / "tmp").mkdir(parents=True)
    for name in ("naru-dead", "naru-live", "naru-watched"):
        os.mkfifo(tmp_path / name / "alive")
    for name in ("naru-just-made", "naru-old"):
        (tmp_path / name / "interpreter").touch()
    os.utime(tmp_path / "naru-old", (0, 0))
    (tmp_path / "naru-link").symlink_to(tmp_path / "naru-dead")
    live = os.open(tmp_path / "naru-live" / "alive", os.O_RDWR)
    reader = os.open(tmp_path / "naru-watched" / "alive", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with python_shim(tmp_path / "log", server_now=False):
            left = {path.name for path in tmp_path.iterdir()}
    finally:
        os.close(live)
        os.close(reader)
    assert {"naru-live", "naru-watched", "naru-just-made", "naru-other", "other", "naru-link"} <= left
    assert not {"naru-dead", "naru-old"} & left


def test_a_live_run_keeps_its_folder_while_another_begins(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path = short_path
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with python_shim(tmp_path / "log", server_now=False) as first:
        with python_shim(tmp_path / "log", server_now=False) as second:
            assert first.parent != second.parent
        assert first.exists()
