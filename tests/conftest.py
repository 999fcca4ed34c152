"""For all tests: what they, and the processes that they start, leave in the temporary folder goes with the session."""

import contextlib
import gc
import importlib
import inspect
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from components._registry import mlflow_client

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in a run: threads of boosted trees that wait leave the core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two beside other tests wait longer than one works

TOGETHER = {
    "a server": ("tests/components/serve/",),
    "flights": ("tests/components/train/", "tests/components/transform/", "tests/components/tune/", "tests/components/frameworks/"),
}  # fmt: skip
"""Tests that one process runs, as they share what takes seconds to make: a running server, transformed and trained flights."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give out tests by file (`--dist loadfile`), but those of `TOGETHER` as one."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((name for name, places in TOGETHER.items() if nodeid.startswith(places)), nodeid.split("::")[0])

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Look for garbage among what tests make, not among the million objects of what they import: those stay."""
    gc.disable()
    try:
        if _is_second_of_all(session.config):
            _import_from_the_end(session.config.rootpath)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _is_second_of_all(config: pytest.Config) -> bool:
    """Whether this is every second process of pytest-xdist, and runs all tests."""
    worker = getattr(config, "workerinput", {}).get("workerid", "gw0")
    return int(worker.removeprefix("gw")) % 2 == 1 and [Path(each).name for each in config.args] == ["tests"]


def _import_from_the_end(root: Path) -> None:
    """Import the test modules from the last to the first, while the process beside begins with the first.

    Where nothing is compiled yet, as in CI, two processes that import the same modules at the same time both compile each of them,
    which is most of half a minute. From both ends, each finds half of them compiled.
    """
    for path in sorted((root / "tests").rglob("test_*.py"), reverse=True):
        with contextlib.suppress(Exception, pytest.skip.Exception):  # the collection meets it again, and reports it
            importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A temporary folder of the session's own: TensorFlow and Beam leave files there, also when a test ends well."""
    folder = tmp_path_factory.mktemp("t")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow's fifty migrations run once in this process, for a second; each further database is a copy of the first."""
    first, migrate = tmp_path_factory.mktemp("mlflow") / "mlflow.db", mlflow_client._migrate

    def copy(path: Path) -> None:
        if not first.exists():
            migrate(first)
        shutil.copyfile(first, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_client, "_migrate", copy)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_stacks() -> Iterator[None]:
    """Stacks without lines of source: kfp takes a stack for each setting of a task, and needs the names in it.

    For the source of each frame the modules are searched, and the tests have thousands: a compilation took six seconds instead of a quarter.
    """

    def stack(_: int = 1) -> list[inspect.FrameInfo]:
        found, frame = [], inspect.currentframe()
        while frame := frame.f_back if frame else None:
            code = frame.f_code
            found.append(inspect.FrameInfo(frame, code.co_filename, frame.f_lineno, code.co_name, None, None))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "stack", stack)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_power_cut() -> Iterator[None]:
    """Files are not flushed to the disk: a flush waits for what all others write, and no test takes the power away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield
