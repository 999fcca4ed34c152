"""Runs that are disturbed, and one that is not to hold them against."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local.conftest import ROOT, Ran, months, new_project, run_naru

__all__ = ["months", "new_project"]  # fixtures

HOOKS = Path(__file__).parent / "hooks"
MARK = "NARU_TEST_MARK"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def undisturbed(new_project: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first run nothing disturbed; the arguments of its stages lie in `arguments/`."""
    project = new_project("undisturbed")
    (project / "arguments").mkdir()
    ran = run_naru(str(project), PYTHONPATH=f"{HOOKS}{os.pathsep}{ROOT}", DISTURB_ARGUMENTS=str(project / "arguments"))
    assert ran.code == 0, ran.errors
    return project


def only_run(project: Path) -> Path:
    """The newest run's folder."""
    return max((project / ".naru" / "runs").iterdir())


def _hear_control_c() -> None:
    """As at a terminal: a shell that starts this suite in the background lets its children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Naru:
    """`naru run` in a process group and a session of its own, every process of it recognisable.

    Args:
        arguments: After `naru run`.
        environment: What differs from this process's.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        self.temporary = Path(tempfile.mkdtemp())
        world = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "150", "TMPDIR": str(self.temporary)}
        world |= {**environment, MARK: self.mark}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "run", *arguments],
            cwd=ROOT,
            env=world,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_hear_control_c,
        )

    def end(self) -> tuple[int, str]:
        """Wait for it; exit code and all that it printed."""
        output, _ = self.process.communicate(timeout=600)
        return self.process.returncode, output

    def alive(self) -> list[str]:
        """The command lines of all its processes that live."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        return found

    def wait_until_gone(self) -> None:
        """Nothing of it may be left: no process after a while, and then no file in the temporary folder."""
        wait_for(lambda: not self.alive(), f"still there: {self.alive()}", 60)
        assert not list(self.temporary.iterdir())


def wait_for(true: Callable[[], object], why: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Make a file system of so many MiB; skipped where that is not allowed."""
    mounted = []

    def make(mebibytes: int) -> Path:
        place = tmp_path / "small"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(place)]
        mount = shutil.which("mount")
        if mount is None or os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small file system, and not in every container")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


__all__ += ["Naru", "Ran", "only_run", "wait_for"]
