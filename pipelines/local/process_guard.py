"""End all processes of a run with it, however it ends: they watch a pipe that closes with it, and children end with their parent.

The run holds the pipe `alive` open for as long as it lives. The system closes it when the run is gone, killed or not, and
its watchers read the end of the file. It lies in the run's temporary folder, which ends with the run too: a process that notices that the
run was killed removes it. Standard library only, and only modules that import fast.
"""

import contextlib
import ctypes
import errno
import os
import select
import shutil
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ALIVE = "NARU_ALIVE"
"""Environment: path of the pipe that ends with the run; empty: nothing is watched."""

PREFIX = "naru-"
"""Prefix of the name of a run's temporary folder."""

_PR_SET_PDEATHSIG = 1
_BEING_MADE_SECONDS = 3600.0
_REMOVALS = 20
_PAUSE_SECONDS = 0.05


def die_with_parent(parent: int) -> None:
    """Let the system kill this process when its parent ends (Linux; elsewhere nothing happens).

    Args:
        parent: The parent's id, to notice that it ended before this was called.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def remove_run_folder() -> None:
    """Remove the temporary folder of a run that was killed; without one nothing happens."""
    folder = Path(os.environ.get(ALIVE, "")).parent
    if not folder.name.startswith(PREFIX):
        return
    for _ in range(_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE_SECONDS)  # what is ending at this moment may still write there


def remove_dead_folders(place: Path) -> None:
    """Remove the temporary folders of this user's runs that are dead, such as one that was killed before its first stage.

    A run and its watchers hold its pipe open for reading as long as they live: a pipe without a reader
    belongs to a dead run. A folder without a pipe may be new: it is left alone for an hour.

    Args:
        place: The folder that contains them.
    """
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if _is_dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    alive, about = folder / "alive", folder.lstat()
    if about.st_uid != os.getuid() or not stat.S_ISDIR(about.st_mode):
        return False
    if _is_on_another_host(folder):
        return False
    if not os.path.lexists(alive):
        return (folder / "interpreter").is_file() and time.time() - about.st_mtime > _BEING_MADE_SECONDS
    if not stat.S_ISFIFO(alive.lstat().st_mode):
        return False
    try:
        os.close(os.open(alive, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno == errno.ENXIO  # it has no reader
    return False


def _is_on_another_host(folder: Path) -> bool:
    """Whether another machine made the folder: on a shared file system its pipe has no reader here."""
    try:
        return (folder / "host").read_text(encoding="utf-8") != socket.gethostname()
    except OSError:  # made by an earlier Naru, or being made or removed
        return False


@contextlib.contextmanager
def watch_pipe(descriptor: int, at_end: Callable[[], None]) -> Iterator[None]:
    """Call `at_end` in a thread when the pipe ends while the block runs; when the block ends, no thread is left.

    Args:
        descriptor: The reading end of the pipe.
        at_end: Function to call; it should end the process.
    """
    stop_read, stop_write = os.pipe()

    def watch() -> None:
        ready = select.select([descriptor, stop_read], [], [])[0]
        if stop_read not in ready:
            at_end()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(stop_write, b".")
        thread.join()
        os.close(stop_read)
        os.close(stop_write)


@contextlib.contextmanager
def end_with_run(at_end: Callable[[], None]) -> Iterator[None]:
    """Call `at_end` when the run's pipe ends, if the environment names one."""
    path = os.environ.get(ALIVE)
    if not path:
        yield
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:  # the run removed its folder
        at_end()
        raise
    try:
        with contextlib.suppress(BlockingIOError):  # the run holds the other end
            if not os.read(descriptor, 1):
                at_end()
        with watch_pipe(descriptor, at_end):
            yield
    finally:
        os.close(descriptor)
