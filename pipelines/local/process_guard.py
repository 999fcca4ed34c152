"""Nothing of a run outlives it, however the run ends: a pipe that ends with it is watched, and children end with their parent.

The run holds the pipe `alive` open for as long as it lives. The system closes it when the run is gone, killed or not, and
whoever watches it reads its end. It lies in the run's temporary folder, which also goes with the run: who notices that the
run was killed removes it. Standard library only, and of that what imports fast.
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
"""How the name of a run's temporary folder begins."""

_PR_SET_PDEATHSIG = 1
_BEING_MADE_SECONDS = 3600.0


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


def clear_up() -> None:
    """Remove the run's temporary folder in its stead: it was killed. Without one nothing happens."""
    folder = Path(os.environ.get(ALIVE, "")).parent
    if folder.name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove the temporary folders of this user's runs that are dead, such as one that was killed before its first stage.

    A run holds its pipe open for reading as long as it lives, and so does whoever watches it: a pipe that nobody reads
    belongs to nobody. A folder without one may just be made: it is left alone for an hour.

    Args:
        place: Where such folders lie.
    """
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if _is_dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    alive, about = folder / "alive", folder.lstat()
    if about.st_uid != os.getuid() or not stat.S_ISDIR(about.st_mode):
        return False
    if _is_of_another_host(folder):
        return False
    if not os.path.lexists(alive):
        return (folder / "interpreter").is_file() and time.time() - about.st_mtime > _BEING_MADE_SECONDS
    if not stat.S_ISFIFO(alive.lstat().st_mode):
        return False
    try:
        os.close(os.open(alive, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno == errno.ENXIO  # nobody reads it
    return False


def _is_of_another_host(folder: Path) -> bool:
    """On a shared file system a pipe of another machine has no reader here."""
    try:
        return (folder / "host").read_text(encoding="utf-8") != socket.gethostname()
    except OSError:  # it is of an earlier Naru, or is being made or removed
        return False


@contextlib.contextmanager
def watched(descriptor: int, at_end: Callable[[], None]) -> Iterator[None]:
    """Call `at_end` in a thread when the pipe ends while the block runs; when the block ends, no thread is left.

    Args:
        descriptor: The reading end of the pipe.
        at_end: What to do; it should end the process.
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
def with_run(at_end: Callable[[], None]) -> Iterator[None]:
    """`watched` on the run's pipe, where the environment names one."""
    path = os.environ.get(ALIVE)
    if not path:
        yield
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:  # the run cleared up after itself
        at_end()
        raise
    try:
        with contextlib.suppress(BlockingIOError):  # somebody holds the other end
            if not os.read(descriptor, 1):
                at_end()
        with watched(descriptor, at_end):
            yield
    finally:
        os.close(descriptor)
