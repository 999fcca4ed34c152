"""What the operating system says no to, in our words: a full disk, a limit, a permission; with what to do about each.

Where a person must change something first, a permission or what lies in the way, it is a ConfigError.
"""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

from components._core.errors import ConfigError, NaruError

_ROOM = 64 << 10
_FULL = "the disk is full: free some space and run again; what was finished is kept"
_FORBIDDEN = "Naru may not read or write it: correct its permissions, or name another place (NARU_STORE for the store)"
_IN_THE_WAY = "something else lies where a folder must be: move it away and run again"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "a file would grow over this process's limit: raise it (ulimit -f) and run again; what was finished is kept",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "it is mounted read-only: copy the project elsewhere or name another store (NARU_STORE)",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: "a folder lies where a file must be: move it away and run again",
}
_FOR_THE_PERSON = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR})
_OTHERWISE = "run again once it is mended; what was finished is kept"


def remedy_for(error: Exception) -> str:
    """What to do about it; empty when the system has not said anything that is known here."""
    return _REMEDIES.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def is_for_the_person(error: Exception) -> bool:
    """Whether waiting or trying again is of no use: a person must correct a permission, or move something away."""
    return isinstance(error, OSError) and error.errno in _FOR_THE_PERSON


def from_system(error: OSError, where: str = "") -> NaruError:
    """The same error with its place and its remedy.

    Args:
        error: What the system said.
        where: Its place, where the error itself names none.
    """
    kind = ConfigError if is_for_the_person(error) else NaruError
    place = str(error.filename or where)
    return kind(f"{error.strerror or error}", where=place, remedy=remedy_for(error) or _OTHERWISE)


def find_lack_of_room(folder: Path) -> NaruError | None:
    """Whether even a small file no longer fits below a folder: why, or None when it does.

    Where nothing can be written, a process cannot leave word of it either; whoever waits for it then asks here.
    """
    while not folder.exists():  # there was no room for the folder itself
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            if probe.write(b"\0" * _ROOM) < _ROOM:
                probe.write(b"\0" * _ROOM)  # a write that finds room for a part says why only to the next
    except OSError as error:
        error.filename = folder
        return from_system(error)
    return None
