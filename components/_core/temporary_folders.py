"""Temporary folders that do not outlive a killed process for long: the next one of the same kind removes what it left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SECONDS = 3_600.0
"""Age from which a folder or file without a lock is a killed process's; a younger one may be about to be locked."""


@contextmanager
def temporary_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for the time of a `with` block, and remove those of the same kind whose process was killed.

    Args:
        prefix: What its name begins with, as in `naru-feedback-`; it is the kind.
        parent: Folder that it is made in; None: the system's folder for temporary files.
    """
    root = parent or Path(tempfile.gettempdir())
    for left in root.glob(f"{prefix}*"):
        remove_if_abandoned(left)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    try:
        with locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file or folder so that others do not take it for abandoned; without effect where the file system has no locks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove_if_abandoned(path: Path) -> None:
    """Remove a file or folder of this user that no process holds any more; a failure ends nothing."""
    with suppress(OSError):
        status = path.lstat()
        if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _SECONDS or path.is_symlink():
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(descriptor)
