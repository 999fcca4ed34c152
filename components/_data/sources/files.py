"""A source of files: the files of each span, and the spans that a run reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from components._core.errors import ConfigError, UnavailableError
from components._core.files import fingerprint_of, hash_stream
from components._core.store.filesystems import is_local, open_filesystem
from components._core.system_errors import from_system, needs_user_action
from components._core.types.span_units import NUMBER
from components._data.sources.contract import NoFilesError, SpanFile
from components._data.sources.folders import is_in_folder, list_folder
from components._data.sources.span_expression import MissingSpans, SpanExpression, parse_spans
from components._data.sources.span_files import Match, find_spans, list_span, list_span_folders
from components._data.sources.span_pattern import SpanPattern, parse_pattern

_SPAN = "{span}"
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
    "last-modified",
)
"""Names that file systems use for a tag that changes with the content, in lower case."""


@dataclass(frozen=True)
class FileSource:
    """A table in one file, or in files by span.

    Attributes:
        location: Path or URL; see `span_pattern.py` for the placeholders of spans and versions.
        missing_spans: Whether a span that an expression names must exist.
    """

    location: str
    missing_spans: MissingSpans = "fail"

    def list_files(self, spans: str) -> list[SpanFile]:
        """See `Source`."""
        filesystem, path = _open(self.location)
        pattern = parse_pattern(path)
        expression = parse_spans(spans, pattern.unit if pattern else None)
        if pattern is None:
            if not filesystem.isfile(path) and filesystem.isdir(path):
                return list_folder(filesystem, path)
            _check_file(filesystem, path, self.location)
            return [SpanFile(1, path, filesystem)]
        chosen = self._choose(filesystem, pattern, expression)
        return [file for span, found in chosen for file in list_span(filesystem, pattern, span, found)]

    def list_folders(self, spans: str) -> list[tuple[int, str, str]]:
        """List the folders of spans, of a location with placeholders: span, split that the path names, and folder.

        Args:
            spans: As in `list_files`.

        Raises:
            ConfigError: As in `list_files`.
            DataError: As in `list_files`.
        """
        filesystem, path = _open(self.location)
        pattern = parse_pattern(path.rstrip("/"))
        if pattern is None:
            raise ValueError(f"{self.location!r} has no placeholder")
        chosen = self._choose(filesystem, pattern, parse_spans(spans, pattern.unit))
        return [
            (span, split, folder)
            for span, found in chosen
            for split, folder in list_span_folders(filesystem, pattern, span, found)
        ]

    def _choose(
        self, filesystem: Any, pattern: SpanPattern, expression: SpanExpression
    ) -> list[tuple[int, list[Match]]]:
        """Return the spans that are read, with what the beginning of the pattern matches of each."""
        found = find_spans(filesystem, pattern)
        if not found:
            raise NoFilesError("no file matches", where=self.location, remedy=_describe(pattern))
        return [(span, found[span]) for span in expression.select(sorted(found), self.missing_spans)]

    def fingerprint(self, spans: str) -> str:
        """See `Source`.

        It covers name, size and metadata that cannot be reset after a change: a local file's inode and ctime, an
        object's tag. Content is read only where a file system has no such metadata.
        """
        files = self.list_files(spans)
        return fingerprint_of(
            part
            for file in files
            for part in (str(file.span), file.name, metadata_of(file.filesystem, file.path) or _content(file))
        )

    def would_list(self, uri: str) -> bool:
        """Return whether a file, once it is there, is one of the source's: it is in its folder, or its name matches the pattern."""
        own, path = _open(self.location)
        other, target = open_filesystem(uri)
        if type(own) is not type(other):
            return False
        if is_local(own):
            path, target = os.path.realpath(path), os.path.realpath(target)
        pattern = parse_pattern(path)
        if pattern is None:
            return own.isdir(path) and is_in_folder(path, target)
        return pattern.matches(target)

    def state(self, file: SpanFile) -> str:
        """See `Source`: as in `fingerprint`; empty where a file system has no such metadata."""
        return metadata_of(file.filesystem, file.path)


def _describe(pattern: SpanPattern) -> str:
    if pattern.unit is NUMBER:
        return f"{_SPAN} is replaced by a number, as in flights-01.csv; correct data.source"
    return "{YYYY}, {MM}, {DD} and {HH} are replaced by digits, with leading zeros; correct data.source"


def _open(source: str) -> tuple[Any, str]:
    try:
        filesystem, path = open_filesystem(source)
    except (ImportError, ValueError) as error:
        remedy = "give a path or a URL with a supported scheme; install the package that the message names"
        raise ConfigError(f"cannot be opened: {error}", where=f"data.source {source!r}", remedy=remedy) from None
    except FileNotFoundError as error:  # the archive in a chain such as zip://t.csv::file:///data/t.zip
        raise NoFilesError(
            f"there is no such file: {error.filename}", where=source, remedy="correct data.source"
        ) from None
    except OSError as error:
        remedy = "check the address and the network, then run again"
        raise UnavailableError(f"cannot be reached: {error.strerror or error}", where=source, remedy=remedy) from None
    return filesystem, path


def _check_file(filesystem: Any, path: str, source: str) -> None:
    if filesystem.isfile(path):
        return
    _check_permission(filesystem, path)
    if "://" in source:
        raise NoFilesError(
            "there is no such file, or it cannot be reached", where=source, remedy="correct data.source, or try again"
        )
    raise NoFilesError(
        "there is no such file", where=source, remedy="correct data.source; it is relative to project.yaml"
    )


def _check_permission(filesystem: Any, path: str) -> None:
    """Report a file without permission as such, not as missing."""
    try:
        filesystem.info(path)
    except FileNotFoundError:
        return
    except OSError as error:
        if needs_user_action(error):
            raise from_system(error, path) from None


def metadata_of(filesystem: Any, path: str) -> str:
    """Return size and metadata of a file that cannot be reset after a change; empty: the file system has none."""
    if isinstance(filesystem, LocalFileSystem):
        status = os.stat(path)  # noqa: PTH116 - a path as fsspec has it
        # mtime can be set, as by `touch -d` and `cp -p`; ctime cannot
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
    info = filesystem.info(path)
    tags = [f"{name}={value}" for name, value in sorted(info.items()) if name.lower() in _TAGS and value]
    return f"{info.get('size')} {tags}" if tags else ""


def _content(file: SpanFile) -> str:
    with file.open() as stream:
        return f"{file.filesystem.info(file.path).get('size')} {hash_stream(stream)}"
