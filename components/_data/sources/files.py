"""A source of files: the files of each span, and the spans that a run reads."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from components._core.errors import ConfigError, DataError, ServiceError
from components._core.files import fingerprint_of, hash_stream
from components._core.store.filesystems import open_filesystem
from components._core.system_errors import from_system, needs_user_action
from components._data.sources.contract import SpanFile

SPAN = "{span}"
_MOST_MISSING = 1_000
_TAGS = (
    "etag",
    "md5hash",
    "content-md5",
    "checksum",
    "crc",
    "crc32c",
    "sha256",
    "generation",
    "versionid",
    "version_id",
)
"""Names that file systems use for a tag that changes with the content, in lower case."""


@dataclass(frozen=True)
class FileSource:
    """A table in one file, or in one file a span.

    Attributes:
        location: Path or URL; `{span}` in its last part stands for a span's number.
    """

    location: str

    def list_files(self, spans: str) -> list[SpanFile]:
        """See `Source`."""
        filesystem, path = _open(self.location)
        if SPAN not in path:
            if spans != "all":
                raise ConfigError(
                    f"spans are {spans!r}, but the source {self.location!r} has no {SPAN}",
                    where="data.spans",
                    remedy=f"put {SPAN} in place of the span's number in the file names, or leave spans at 'all'",
                )
            _check_file(filesystem, path, self.location)
            return [SpanFile(1, path, filesystem)]
        there = _list_spans(filesystem, path)
        if not there:
            raise DataError(
                "no file matches",
                where=self.location,
                remedy=f"{SPAN} is replaced by a number, as in flights-01.csv; correct data.source",
            )
        return [SpanFile(span, there[span], filesystem) for span in select_spans(spans, sorted(there))]

    def fingerprint(self, spans: str) -> str:
        """See `Source`.

        It covers name, size and metadata that cannot be reset after a change: a local file's inode and ctime, an
        object's tag. Content is read only where a file system has no such metadata.
        """
        files = self.list_files(spans)
        return fingerprint_of(part for file in files for part in (str(file.span), file.name, _state(file)))


def select_spans(wanted: str, there: list[int]) -> list[int]:
    """Select the spans that an expression names.

    Args:
        wanted: Expression: `all`, `last 3`, or numbers and ranges as in `1-3,7`.
        there: The spans that exist, ascending.

    Raises:
        ConfigError: When the expression is invalid.
        DataError: When a named span does not exist.
    """
    text = wanted.strip().lower()
    if text == "all":
        return there
    if match := re.fullmatch(r"last\s+([1-9]\d{0,17})", text):
        return there[-int(match[1]) :]
    chosen: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise ConfigError(
                f"found {wanted[:80]!r}", where="data.spans", remedy="allowed: all, 7, 1-11, 1,2,5, last 3"
            )
        last = min(last, max(first, there[-1] + _MOST_MISSING))  # bounds the range after a typo with many digits
        chosen.update(range(first, last + 1))
    if missing := sorted(chosen - set(there)):
        raise DataError(
            f"no span {_ranges(missing)}",
            where="data.spans",
            remedy=f"available spans: {_ranges(there)}",
        )
    return sorted(chosen)


def _open(source: str) -> tuple[Any, str]:
    try:
        filesystem, path = open_filesystem(source)
    except (ImportError, ValueError) as error:
        remedy = "give a path or a URL with a supported scheme; install the package that the message names"
        raise ConfigError(f"cannot be opened: {error}", where=f"data.source {source!r}", remedy=remedy) from None
    except FileNotFoundError as error:  # the archive in a chain such as zip://t.csv::file:///data/t.zip
        raise DataError(
            f"there is no such file: {error.filename}", where=source, remedy="correct data.source"
        ) from None
    return filesystem, path


def _check_file(filesystem: Any, path: str, source: str) -> None:
    if filesystem.isfile(path):
        return
    _check_permission(filesystem, path)
    if "://" in source:
        raise DataError(
            "there is no such file, or it cannot be reached", where=source, remedy="correct data.source, or try again"
        )
    if filesystem.isdir(path):
        remedy = f"name a file in it, or several as in {source.rstrip('/')}/part-{SPAN}.csv"
        raise DataError("is a folder", where=source, remedy=remedy)
    raise DataError("there is no such file", where=source, remedy="correct data.source; it is relative to project.yaml")


def _check_permission(filesystem: Any, path: str) -> None:
    """Report a file without permission as such, not as missing."""
    try:
        filesystem.info(path)
    except FileNotFoundError:
        return
    except OSError as error:
        if needs_user_action(error):
            raise from_system(error, path) from None


def _list_spans(filesystem: Any, path: str) -> dict[int, str]:
    folder, _, name = path.rpartition("/")
    if SPAN in folder:
        raise ConfigError(
            f"has {SPAN} in a folder's name", where="data.source", remedy=f"put {SPAN} into the file's name only"
        )
    before, _, after = name.partition(SPAN)
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    try:
        names = [str(entry) for entry in filesystem.ls(folder or ".", detail=False)]
    except FileNotFoundError:
        return {}
    except OSError as error:
        if needs_user_action(error):
            raise from_system(error, folder) from None
        remedy = "correct its permissions or the network, then run again"
        raise ServiceError(f"cannot be listed: {error}", where=folder, remedy=remedy) from error
    found: dict[int, str] = {}
    for entry in sorted(names):
        match = pattern.fullmatch(entry.rsplit("/", 1)[-1])
        if match is None:
            continue
        if int(match[1]) in found:
            raise DataError(
                f"two files for span {int(match[1])}: {found[int(match[1])]} and {entry}",
                where="data.source",
                remedy="remove one of them, or make the pattern more specific",
            )
        found[int(match[1])] = entry
    return found


def _state(file: SpanFile) -> str:
    if isinstance(file.filesystem, LocalFileSystem):
        status = os.stat(file.path)  # noqa: PTH116 - a path as fsspec has it
        # mtime can be set, as by `touch -d` and `cp -p`; ctime cannot
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
    info = file.filesystem.info(file.path)
    tags = [f"{name}={value}" for name, value in sorted(info.items()) if name.lower() in _TAGS and value]
    return f"{info.get('size')} {tags or _digest(file)}"


def _digest(file: SpanFile) -> str:
    with file.open() as stream:
        return hash_stream(stream)


def _ranges(numbers: list[int]) -> str:
    """`[1, 2, 3, 7]` as `1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)
