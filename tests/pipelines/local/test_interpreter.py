"""Whatever the processes of a run leave in the temporary folder goes with the run, also when it was killed."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from pipelines.local import lifetimes
from pipelines.local.interpreter import stand_in


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARU_FORK", "0")
    for name in ("NARU_PYTHON", "NARU_FORKSERVER", "TMPDIR", lifetimes.ALIVE):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that what a run sets is undone


def test_a_process_of_a_run_keeps_temporary_files_in_the_runs_own_folder(tmp_path: Path) -> None:
    with stand_in(tmp_path / "log", server_now=False) as interpreter:
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
    with stand_in(tmp_path / "log", server_now=False) as interpreter:
        assert interpreter.parent.parent == Path("/tmp")
        assert Path(os.environ["TMPDIR"]).parent == interpreter.parent


def test_who_finds_the_run_killed_removes_its_folder_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("naru-x1", "other"):
        (tmp_path / name / "tmp").mkdir(parents=True)
        monkeypatch.setenv(lifetimes.ALIVE, str(tmp_path / name / "alive"))
        lifetimes.clear_up()
    monkeypatch.delenv(lifetimes.ALIVE)
    lifetimes.clear_up()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
