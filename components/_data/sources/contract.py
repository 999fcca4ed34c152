"""The interface of table sources: it lists the files of spans, opens them, and has a fingerprint of its state.

A source gives files, whose content a format reads. A folder of this machine, S3, Google Cloud Storage and every other
store that fsspec knows differ only in their file system (`components/_core/store/filesystems.py`). A database has no files:
what a query gives is a file too, an Arrow IPC stream that is made as it is read (`batch_files.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast

from components._core.errors import DataError


class NoFilesError(DataError):
    """A source has no file (yet)."""


@dataclass(frozen=True)
class SpanFile:
    """One file of the source.

    Attributes:
        span: Span of the file, a number or the digits of a date (`span_units.py`); 1 when the source has none.
        path: Path in its file system.
        filesystem: The fsspec file system of the file.
        short_name: Its path below the folder that all files of the source share; empty: the last part of the path.
        split: The name that its folder or name gives the split of its rows; empty: it gives none.
        partition: Columns that its folders, named `key=value`, give its rows; None: the value is missing.
        format: Name of its format where the source decides it, as a database does; empty: recognised by its content.
    """

    span: int
    path: str
    filesystem: Any
    short_name: str = ""
    split: str = ""
    partition: tuple[tuple[str, str | None], ...] = ()
    format: str = ""

    @property
    def name(self) -> str:
        """File name, as used in messages and manifests: unique within a source."""
        return self.short_name or self.path.rsplit("/", 1)[-1]

    def open(self) -> BinaryIO:
        """Open the file for reading; the stream is seekable."""
        return cast(BinaryIO, self.filesystem.open(self.path, "rb"))


class Source(Protocol):
    """The location of a table."""

    def list_files(self, spans: str) -> list[SpanFile]:
        """List the files of the requested spans, in the order of their spans; a span may have several.

        Args:
            spans: Expression as in `data.spans`.

        Raises:
            ConfigError: When the source or the spans are invalid, or without permission to read.
            DataError: When a file or span does not exist.
        """

    def fingerprint(self, spans: str) -> str:
        """Return the fingerprint of the state of some spans' files: it changes when their content does."""

    def state(self, file: SpanFile) -> str:
        """Return the state of one file's content, found without reading it: it changes when the content does.

        Empty: it cannot be found, or not cheaply.
        """
