"""A stage that is killed at any renaming leaves nothing half-written under a final name, and the next try is undisturbed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components._core.files import files_below, hash_file
from components._core.setting_names import PYTHON
from components._registry.mlflow_client import open_registry
from pipelines.graphs.pipelines import TRAINING
from pipelines.local import launcher
from pipelines.local.python_shim import write_shim
from pipelines.local.run_state import task_root
from pipelines.local.workspace import Workspace
from tests.interrupted.conftest import HOOKS, only_run
from tests.local.conftest import ROOT
from tests.local.made import holds_a_time
from tests.representatives import representatives

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stages are forked on Linux only")

MOST = 80
"""More renamings than any stage makes."""


@dataclass
class Bench:
    """One stage at a time, as the launcher starts it, on the inputs of an undisturbed run.

    Attributes:
        project: The undisturbed project.
        server: The folder of a fork server.
        place: Where stages write; the store and MLflow's database are here too.
    """

    project: Path
    server: Path
    place: Path

    def run(self, stage: str, **environment: str) -> subprocess.CompletedProcess[str]:
        arguments = self._arguments(stage)
        settings = {
            **os.environ,
            **Workspace(self.place).environment(),
            launcher.SERVER: str(self.server),
            "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}",
            PYTHON: str(self.server / "interpreter"),
            "DISTURB_STAGE": stage,
            **_quiet(),
        }
        command = [sys.executable, "-IS", launcher.__file__, str(self.server / "interpreter"), sys.executable]
        return subprocess.run(
            [*command, *arguments],
            env={**settings, **environment},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def _arguments(self, stage: str) -> list[str]:
        arguments: list[str] = json.loads((self.project / "arguments" / f"{stage}.json").read_text())
        place = arguments.index("--executor_input") + 1
        known = task_root(only_run(self.project))
        given = json.loads(arguments[place])
        given["outputs"] = json.loads(json.dumps(given["outputs"]).replace(str(known), str(self.place)))
        return [*arguments[:place], json.dumps(given), *arguments[place + 1 :]]

    def outputs(self, stage: str) -> dict[str, Path]:
        """Final path by output's name."""
        given = self._arguments(stage)
        artifacts = json.loads(given[given.index("--executor_input") + 1])["outputs"].get("artifacts", {})
        return {name: Path(each["artifacts"][0]["uri"]) for name, each in artifacts.items()}

    def expect_whole(self, stage: str, *, all_: bool = False) -> None:
        """Every output that has its final name is the undisturbed run's; what holds a time is at least whole."""
        root = task_root(only_run(self.project))
        assert root is not None
        for name, path in self.outputs(stage).items():
            if path.exists():
                assert contents(path, f"{stage}/{name}") == contents(root / stage / name, f"{stage}/{name}")
            else:
                assert not (all_ and (root / stage / name).exists()), f"{name} is missing"
        self._expect_whole_store()

    def _expect_whole_store(self) -> None:
        """What has its final name in the store is what the undisturbed run stored, or a whole line of the ledger."""
        known = {
            path.relative_to(version).as_posix(): hash_file(path)
            for version in (self.project / ".naru" / "store" / "small" / "models").iterdir()
            for path in files_below(version)
        }
        store = self.place / ".naru" / "store" / "small"
        for path in files_below(store / "models") if store.exists() else []:
            name = "/".join(path.relative_to(store / "models").parts[1:])
            assert path.name.startswith(".") or hash_file(path) == known[name]
        for line in (store / "deployments").glob("[0-9]*.json"):
            assert json.loads(line.read_text())["version"] == "1"


def contents(path: Path, name: str) -> dict[str, str]:
    """What is in an artifact: hashes by path, and for what holds a time the path alone."""
    files = files_below(path) if path.is_dir() else [path]
    below = {f"{name}/{each.relative_to(path).as_posix()}" if each != path else name: each for each in files}
    return {each: "" if holds_a_time(each) else hash_file(file) for each, file in below.items()}


def _quiet() -> dict[str, str]:
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "PYTHONHASHSEED": "0",
        "GIT_PYTHON_REFRESH": "quiet",
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "started").touch()  # the launcher starts none
    world = {**os.environ, **_quiet(), "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "pipelines.local.fork_server", str(folder / "socket")]
    write_shim(folder / "interpreter")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=world)
    yield folder
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.wait(timeout=120)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database with its tables and nothing in them; making it takes seconds, and is tested where it is made."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    open_registry(f"sqlite:///{path}")
    return path


@pytest.fixture
def bench(undisturbed: Path, server: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    """An empty place with an empty store; for deploy with the version that register made."""
    stage = request.getfixturevalue("stage")
    if stage in ("register", "deploy"):
        (tmp_path / ".naru").mkdir()
        made = undisturbed / ".naru" / "mlflow.db"
        shutil.copy(made if stage == "deploy" else request.getfixturevalue("empty_database"), tmp_path / ".naru")
    return Bench(undisturbed, server, tmp_path)


@pytest.mark.parametrize("stage", representatives(TRAINING.stage_names, "ingest", "train", "register"))
def test_a_stage_killed_at_every_renaming_leaves_no_half_artifact_and_ends_well_at_last(
    bench: Bench, stage: str
) -> None:
    times = 0
    while (killed := bench.run(stage, DISTURB_KILL=str(times + 1))).returncode == 137:
        bench.expect_whole(stage)
        times += 1
        assert times < MOST
    assert killed.returncode == 0, killed.stderr
    assert times >= 3, "renamings were not seen"
    assert bench.run(stage, DISTURB_KILL_AFTER=str(times)).returncode in (0, 137)
    bench.expect_whole(stage)
    again = bench.run(stage)
    assert again.returncode == 0, again.stderr
    bench.expect_whole(stage, all_=True)
    expect_no_leftovers(bench.place / stage)


@pytest.mark.parametrize("stage", representatives(TRAINING.stage_names, "ingest", "train", "register"))
@pytest.mark.parametrize("limit", representatives([0, 600, 9_000], 600))
def test_a_stage_without_room_says_so_and_leaves_nothing_half_written(bench: Bench, stage: str, limit: int) -> None:
    ended = bench.run(stage, DISTURB_BYTES=str(limit))
    bench.expect_whole(stage)
    if ended.returncode == 0 and largest(bench.outputs(stage)) <= limit:
        return
    assert ended.returncode in (1, 7, 8), ended.stderr
    if limit:  # with no room at all there is none for the word either; see the tests of whole runs
        word: dict[str, Any] = json.loads((bench.place / stage / "error.json").read_text())["error"]
        assert "ulimit -f" in word["remedy"] or "disk" in word["remedy"], word
    assert "File too large" in ended.stderr or "no room" in ended.stderr or "disk" in ended.stderr, ended.stderr
    again = bench.run(stage)
    assert again.returncode == 0, again.stderr
    bench.expect_whole(stage, all_=True)
    expect_no_leftovers(bench.place / stage)


def largest(outputs: dict[str, Path]) -> int:
    return max(
        each.stat().st_size for path in outputs.values() for each in (files_below(path) if path.is_dir() else [path])
    )


def expect_no_leftovers(task: Path) -> None:
    assert not [path for path in task.rglob("*") if path.name.endswith(".partial")]
