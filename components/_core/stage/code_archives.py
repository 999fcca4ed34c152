"""Code archives, which come from a store that others may write to: bounded reading, fingerprints, unpacking.

Standard library only: the launcher, which starts in milliseconds, imports this.
"""

from __future__ import annotations

import errno
import hashlib
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from components._core.errors import ConfigError
from components._core.files import fingerprint_of, write_bytes

MAX_FILES = 1_000
MAX_BYTES = 8 << 20
"""Maximum total size of the unpacked files of an archive, a finished model aside."""
MODEL_SUFFIX = ".onnx"
"""Ending of the name of a finished model."""
MAX_MODEL_BYTES = 64 << 20
"""Maximum size of a finished model in it."""
_MAX_NAME = 200
_REMEDY = "create it again with naru compile"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # for other methods Python cannot bound the unpacked size
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, RuntimeError, LookupError)
"""What Python's zipfile raises for invalid archives: a seek to a negative offset is an OSError, an odd name a ValueError."""
_CLASHES = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTEMPTY}


def read_archive(archive: Path) -> dict[str, bytes]:
    """Read the contents of a code archive's files, by their paths below its folder.

    Raises:
        ConfigError: When it is not a zip, is unreasonably large, or has a path outside the folder.
    """
    try:
        with zipfile.ZipFile(archive) as pack:
            members = [member for member in pack.infolist() if _is_checked(member, archive)]
            _check_size(members, archive)
            return {member.filename: _read(pack, member) for member in members}
    except _DAMAGE as error:
        raise ConfigError(f"is not a code archive: {_first_line(error)}", where=str(archive), remedy=_REMEDY) from None


def fingerprint_archive(archive: Path) -> str:
    """Return the fingerprint of the code in an archive, by names and contents; errors as in `read_archive`."""
    files = read_archive(archive)
    ordered = sorted(files, key=PurePosixPath)
    return fingerprint_of(part for name in ordered for part in (name, hashlib.sha256(files[name]).hexdigest()))


def check_archive(archive: Path, fingerprint: str, place: str) -> None:
    """Check that an archive contains the expected code.

    Args:
        archive: The archive, on this machine.
        fingerprint: Fingerprint of the expected code.
        place: Origin of the archive, for messages.

    Raises:
        ConfigError: When it contains other code, or as in `read_archive`.
    """
    found = fingerprint_archive(archive)
    if found != fingerprint:
        message = f"is not the code of this run: fingerprint {found}, expected {fingerprint}"
        remedy = "naru run, naru submit and naru apply send the project's code again; check who may write to the store"
        raise ConfigError(message, where=place, remedy=remedy)


def unpack_archive(archive: Path, folder: Path) -> None:
    """Write the files of a code archive below a folder; errors as in `read_archive`, and OSError."""
    for name, content in read_archive(archive).items():
        try:
            write_bytes(folder / name, content, durable=False)
        except OSError as error:
            if error.errno not in _CLASHES:
                raise
            message = f"holds {_shown(name)}, which cannot be written beside the other files: {error.strerror}"
            raise ConfigError(message, where=str(archive), remedy=_REMEDY) from None


def _is_checked(member: zipfile.ZipInfo, archive: Path) -> bool:
    """Return whether a member is a file; folders are skipped, since the files in them name them.

    Raises:
        ConfigError: When the member is refused.
    """
    path, name = PurePosixPath(member.filename), member.filename
    is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
    if path.is_absolute() or ".." in path.parts or "\\" in name or is_link:
        message = f"holds {_shown(name)}, which is outside its folder"
        raise ConfigError(message, where=str(archive), remedy="refused; do not trust it")
    if not name.isprintable() or len(name.encode("utf-8")) > _MAX_NAME or not path.parts:
        message = f"holds {_shown(name)}; allowed: printable characters, at most {_MAX_NAME} bytes"
        raise ConfigError(message, where=str(archive), remedy=_REMEDY)
    if member.compress_type not in _METHODS:
        message = f"holds {_shown(name)}, compressed by method {member.compress_type}; allowed: deflate, or none"
        raise ConfigError(message, where=str(archive), remedy=_REMEDY)
    return not member.is_dir()


def _check_size(members: list[zipfile.ZipInfo], archive: Path) -> None:
    check_size([(member.filename, member.file_size) for member in members], str(archive))
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"holds {_shown(twice)} twice", where=str(archive), remedy="refused; do not trust it")


def check_size(sizes: Sequence[tuple[str, int]], where: str) -> None:
    """Check that code is not unreasonably large.

    Args:
        sizes: Name and size in bytes of each file.
        where: The archive or folder, for messages.

    Raises:
        ConfigError: When it is.
    """
    if len(sizes) > MAX_FILES:
        message = f"holds {len(sizes):,} files; allowed: {MAX_FILES:,}"
        raise ConfigError(message, where=where, remedy="keep only code in it")
    models = [size for name, size in sizes if name.endswith(MODEL_SUFFIX)]
    if sum(models) > MAX_MODEL_BYTES:
        message = f"holds a model of more than {MAX_MODEL_BYTES >> 20} MiB"
        raise ConfigError(message, where=where, remedy="export a smaller one, such as fewer or shallower trees")
    if sum(size for _, size in sizes) - sum(models) > MAX_BYTES:
        raise ConfigError(f"holds more than {MAX_BYTES >> 20} MiB", where=where, remedy="keep data out of it")


def _read(pack: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with pack.open(member) as file:
        content = file.read(member.file_size + 1)  # bounded, or a false size in the header would fill the memory
    if len(content) != member.file_size:
        message = f"is not a code archive: {_shown(member.filename)} ends early"
        raise ConfigError(message, where=str(pack.filename), remedy=_REMEDY)
    return content


def _shown(name: str) -> str:
    return repr(name[:_MAX_NAME]) + ("..." if len(name) > _MAX_NAME else "")


def _first_line(error: Exception) -> str:
    return (next(iter(str(error).splitlines()), "") or type(error).__name__)[:300]
