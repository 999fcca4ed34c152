"""A project below a folder whose name shells, URLs and databases read in their own way keeps all that it makes inside itself."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.local.conftest import ROOT, run_naru

pytestmark = pytest.mark.slow


def test_a_whole_run_and_what_is_done_with_its_model_stay_inside_the_project(
    new_project: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "my pro%20j#e?ct $x;é'q\"" / "a b%41"
    folder.parent.mkdir()
    shutil.move(new_project("odd"), folder)
    ran = run_naru(str(folder))
    assert ran.code == 0, ran.record["error"]
    assert ran.record["deployed"]
    assert shlex.split(ran.record["serve"]) == ["naru", "serve", str(folder)]
    assert [path.name for path in tmp_path.iterdir()] == [folder.parent.name]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / ".naru" / "mlflow.db").is_file()
    assert len(list((folder / ".naru" / "store").rglob("saved_model.pb"))) == 1
    loaded = naru("load", str(folder), "--seconds", "0.3", "--clients", "1")
    assert loaded.returncode == 0, loaded.stderr
    assert "earlier Naru" not in loaded.stderr
    assert [path.name for path in tmp_path.iterdir()] == [folder.parent.name]


def test_a_file_that_was_changed_in_the_store_is_refused_by_every_command(
    new_project: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = new_project("tampered")
    assert run_naru(str(folder)).code == 0
    (vocabulary,) = (folder / ".naru" / "store").rglob("saved_model/assets/origin")
    whole = vocabulary.read_bytes()
    lines = whole.splitlines(keepends=True)
    vocabulary.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    for command in (["serve", str(folder), "--port", "0"], ["load", str(folder), "--seconds", "0.3", "--clients", "1"]):
        done = naru(*command)
        assert done.returncode == 6, done.stderr
        assert "model/saved_model/assets/origin has changed since it was registered" in done.stderr
    vocabulary.write_bytes(whole)
    (archive,) = (folder / ".naru" / "code").iterdir()
    archive.write_bytes(b"other code")
    again = run_naru(str(folder), "--no-cache")
    assert again.code == 0, again.record["error"]  # it was made again from the project's own files
    line = min((folder / ".naru" / "store" / "small" / "deployments").glob("*.json"))
    assert len(json.loads(line.read_text())["registration_sha256"]) == 64


def naru(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines", *arguments]
    world = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=world, timeout=600, check=False)
