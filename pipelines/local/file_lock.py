"""A lock in a file of this machine, which the system releases when the process that holds it ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from components._core.system_errors import from_system


def try_lock(path: Path) -> IO[str] | None:
    """Take a lock, held until the returned file is closed; None when another process holds it.

    The file keeps the id of the process that took it last. It is never removed: two processes could then lock two files of one name.

    Raises:
        ConfigError: When the file may not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise from_system(error, str(path)) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError as error:
        file.close()
        raise from_system(error, str(path)) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock."""
    if not path.exists():
        return False
    held = try_lock(path)
    if held is None:
        return True
    held.close()
    return False


def read_holder(path: Path) -> str:
    """Return the id of the process that took the lock last; empty: not known."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
