"""Errors of the operating system with remedies: a full disk, a limit, a missing permission.

Those that a person must fix first, such as a permission, become a ConfigError.
"""

from __future__ import annotations

import errno
import re
import tempfile
from pathlib import Path

from components._core.errors import ConfigError, NaruError

_ROOM = 64 << 10
_FULL = "the disk is full: free some space and run again; what was finished is kept"
_FORBIDDEN = "Naru has no permission to read or write it: correct its permissions, or name another place (NARU_STORE for the store)"
_IN_THE_WAY = "something else exists where a folder is needed: move it away and run again"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "a file would exceed this process's size limit: raise it (ulimit -f) and run again; what was finished is kept",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "it is mounted read-only: copy the project elsewhere or name another store (NARU_STORE)",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: "a folder exists where a file is needed: move it away and run again",
}
_FOR_THE_PERSON = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR})
_OTHERWISE = "run again once it is fixed; what was finished is kept"
_NO_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")
"""What the dynamic loader of Linux says, and an `OSError` without a number repeats: as Python's `ctypes` calls it for LightGBM."""
_LIBRARIES = {"libgomp.so.1": " (Debian, Ubuntu: apt-get install libgomp1)"}


def remedy_for(error: Exception) -> str:
    """Return the remedy for an error; empty when the error is unknown."""
    return _REMEDIES.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def needs_user_action(error: Exception) -> bool:
    """Return whether a retry is useless: a person must correct a permission, or move something away."""
    return isinstance(error, OSError) and error.errno in _FOR_THE_PERSON


def from_system(error: OSError, where: str = "") -> NaruError:
    """Convert a system error to a NaruError with place and remedy.

    Args:
        error: The system error.
        where: Place of the error, if the error itself names none.
    """
    if library := _NO_LIBRARY.match(str(error)):
        message = f"the shared library {library[1]} is not installed on this machine"
        how = _LIBRARIES.get(library[1], "")
        remedy = f"install the system's package that has it{how}; in an image of your own, build it in"
        return ConfigError(message, where=where, remedy=remedy)
    kind = ConfigError if needs_user_action(error) else NaruError
    place = str(error.filename or where)
    return kind(f"{error.strerror or error}", where=place, remedy=remedy_for(error) or _OTHERWISE)


def find_full_disk(folder: Path) -> NaruError | None:
    """Find out whether a small file still fits below a folder: None if it does, else the error.

    A process on a full disk cannot write its error either, so its parent checks here.
    """
    while not folder.exists():  # the folder itself did not fit
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            if probe.write(b"\0" * _ROOM) < _ROOM:
                probe.write(b"\0" * _ROOM)  # after a partial write only the next write raises the error
    except OSError as error:
        error.filename = folder
        return from_system(error)
    return None
