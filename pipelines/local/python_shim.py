"""The program that kfp.local starts stages with in place of Python, and the fork server behind it; both live as long as the run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from components._core.setting_names import PYTHON
from pipelines.local import launcher, process_guard

_LAUNCHER = Path(launcher.__file__)
_END_SECONDS = 5.0
_LONGEST = 70
"""Maximum length of the temporary folder's path: a socket's path below it may have 107 characters."""


@contextlib.contextmanager
def python_shim(log: Path, *, server_now: bool) -> Iterator[Path]:
    """Yield the path of a program that kfp.local can use as Python.

    kfp.local puts the path into a shell command without quotes, so it must hold no space: it lies in the system's
    temporary folder. Stages also have their temporary files there: kfp's shell, TensorFlow and Beam leave files behind,
    above all in a process that was forked, which runs no handlers at its end. All of it is removed with the folder.

    Args:
        log: Log file of the fork server.
        server_now: Whether to start the server at once, because a stage will need it; otherwise the first stage that needs it does.
    """
    process_guard.remove_dead_folders(Path(_temporary_folder()))
    with tempfile.TemporaryDirectory(
        prefix=process_guard.PREFIX, dir=_temporary_folder(), ignore_cleanup_errors=True
    ) as folder:
        path, temporary = Path(folder) / "interpreter", Path(folder) / "tmp"
        write_shim(path)
        temporary.mkdir()
        os.environ.update({PYTHON: str(path), "TMPDIR": str(temporary)})
        with _alive_pipe(Path(folder)), _server(Path(folder), log, now=server_now):
            yield path


def _temporary_folder() -> str:
    """Return the system's temporary folder, or /tmp if its path does not suit an unquoted shell command or a socket's name."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= _LONGEST and re.fullmatch(r"[\w/.+-]+", usual, re.ASCII) else "/tmp"  # noqa: S108


def write_shim(path: Path) -> None:
    """Write the program that is used as Python: it calls the launcher."""
    command = f'exec "{sys.executable}" -IS "{_LAUNCHER}" "{path}" "{sys.executable}" "$@"'
    path.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@contextlib.contextmanager
def _alive_pipe(folder: Path) -> Iterator[None]:
    """Make a pipe that closes when this process ends for any reason; it is open for reading and writing, so that it has a writer."""
    (folder / "host").write_text(socket.gethostname(), encoding="utf-8")
    os.mkfifo(folder / "alive.made")
    alive = os.open(folder / "alive.made", os.O_RDWR)
    (folder / "alive.made").rename(folder / "alive")  # renamed, so that it has a reader as soon as it exists
    os.environ[process_guard.ALIVE] = str(folder / "alive")
    try:
        yield
    finally:
        os.close(alive)


@contextlib.contextmanager
def _server(folder: Path, log: Path, *, now: bool) -> Iterator[None]:
    if sys.platform != "linux" or os.environ.get("NARU_FORK") == "0":
        yield  # macOS: the system's own libraries do not survive a fork; stages import what they need themselves
        return
    (folder / "log").symlink_to(log)
    os.environ[launcher.SERVER] = str(folder)
    try:
        if now:
            launcher.start_server(folder, sys.executable)
        yield
    finally:
        _stop_server(folder / "pid")


def _stop_server(pid: Path) -> None:
    """Stop the server, which may still be importing, and with it the stages that it runs."""
    if not pid.exists():
        return
    process = int(pid.read_text(encoding="ascii"))
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, how)
        if _is_gone(process):
            return


def _is_gone(process: int) -> bool:
    """Wait until a child has ended; False when it takes too long. A process that a launcher started is not waited for."""
    deadline = time.monotonic() + _END_SECONDS
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(process, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
    return True
