"""Folders that a run cannot use: reported with path and remedy before any work is done, and nothing is created."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.local.conftest import ROOT
from tests.representatives import representatives
from tests.unprivileged import lay_down_rights

pytestmark = pytest.mark.slow

FILES = {
    "project.yaml": "name: bad\ntask: binary_classification\nlabel: y\ndata: {source: 'data/t-{span}.csv'}\n",
    "data/t-1.csv": "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(50)),
    "preprocessing.py": "def preprocessing_fn(inputs):\n    return dict(inputs)\n",
    "model.py": "def build_model(inputs, transform, hyperparameters):\n    return None\n",
    ".naru/store/bad/deployments/.keep": "",
    ".naru/runs/.keep": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "project"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with closing(sqlite3.connect(folder / ".naru" / "mlflow.db")) as database:
        database.executescript("CREATE TABLE runs (name TEXT); INSERT INTO runs VALUES ('one'), ('two');")
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IRWXU)


def run(project: Path) -> tuple[int, dict[str, str]]:
    """Run it as somebody whom permissions hold for; its exit code and its error."""
    command = [sys.executable, "-m", "pipelines", "run", str(project), "--json"]
    world = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=world, check=False, preexec_fn=lay_down_rights()
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    record = json.loads(done.stdout)
    assert record["exit_code"] == done.returncode
    return done.returncode, record["error"]


@pytest.mark.parametrize(
    ("place", "mode"),
    representatives(
        [
            (".", 0o555),
            (".", 0o000),
            (".naru", 0o555),
            (".naru/runs", 0o555),
            (".naru/store", 0o555),
            (".naru/store/bad/deployments", 0o000),
            (".naru/mlflow.db", 0o444),
            ("project.yaml", 0o000),
            ("model.py", 0o000),
            ("data", 0o000),
            ("data/t-1.csv", 0o000),
        ],
        (".naru", 0o555),
        (".naru/store/bad/deployments", 0o000),
        ("model.py", 0o000),
        ("data/t-1.csv", 0o000),
    ),
)
def test_what_may_not_be_read_or_written_is_a_config_error_that_names_it(project: Path, place: str, mode: int) -> None:
    if place == ".":
        remove_home(project)
    (project / place).chmod(mode)
    code, error = run(project)
    assert (code, error["kind"]) == (2, "config"), error
    assert str(project / place) in error["where"]
    assert "permissions" in error["remedy"]


def remove_home(project: Path) -> None:
    """As before its first run, when the hidden folder is still to be made."""
    for path in sorted((project / ".naru").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (project / ".naru").rmdir()


@pytest.mark.parametrize("name", representatives(["code", "cache", "runs", "store"], "store"))
def test_a_file_in_place_of_a_folder_is_reported_before_anything_is_made(project: Path, name: str) -> None:
    place = project / ".naru" / name
    if place.exists():
        place.rename(project / "away")
    place.write_text("a file")
    code, error = run(project)
    assert (code, error["where"]) == (2, str(place))
    assert "move it away" in error["remedy"]
    assert name == "runs" or [path.name for path in (project / ".naru" / "runs").iterdir()] == [".keep"]


def test_a_folder_in_place_of_the_database_is_reported(project: Path) -> None:
    (project / ".naru" / "mlflow.db").unlink()
    (project / ".naru" / "mlflow.db").mkdir()
    code, error = run(project)
    assert (code, error["where"]) == (2, str(project / ".naru" / "mlflow.db"))


@pytest.mark.parametrize("damage", representatives(["a text", "cut short"], "cut short"))
def test_a_damaged_database_is_reported_before_any_work_is_done(project: Path, damage: str) -> None:
    database = project / ".naru" / "mlflow.db"
    content = database.read_bytes()
    database.write_bytes(b"no database at all" * 100 if damage == "a text" else content[: len(content) // 2])
    code, error = run(project)
    assert (code, error["where"]) == (7, str(database))
    assert "move the file away" in error["remedy"]
    assert [path.name for path in (project / ".naru" / "runs").iterdir()] == [".keep"]
