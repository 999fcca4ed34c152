"""Temporary folders of killed processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from components._core.temporary_folders import temporary_folder

HOLDS = """
import sys, time
from pathlib import Path
from components._core.temporary_folders import temporary_folder
with temporary_folder("naru-test-", Path(sys.argv[1])) as folder:
    (folder / "large").write_text("x")
    print(folder, flush=True)
    time.sleep(600)
"""


def hold(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has such a folder, which looks old."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    os.utime(folder, (1, 1))
    return process, folder


def test_a_killed_process_s_folder_is_removed_by_the_next_one_of_its_kind(tmp_path: Path) -> None:
    process, folder = hold(tmp_path)
    try:
        (tmp_path / "naru-other-1").mkdir()
        os.utime(tmp_path / "naru-other-1", (1, 1))
        (tmp_path / "naru-test-young").mkdir()
        with temporary_folder("naru-test-", tmp_path):
            assert folder.exists(), "its process lives"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with temporary_folder("naru-test-", tmp_path) as own:
            assert not folder.exists() and own.exists()
        assert not own.exists() and (tmp_path / "naru-other-1").exists() and (tmp_path / "naru-test-young").exists()
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
