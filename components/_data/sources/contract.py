"""What a source of tables is: it lists the files of some spans, opens them, and has a fingerprint of its state.

There is one implementation, `files.py`: a folder of this machine, S3 and every other store that fsspec knows differ only in their
file system (`components/_core/store/filesystems.py`). The contract is therefore no wider than what readers of tables use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast


@dataclass(frozen=True)
class SpanFile:
    """One file of the source.

    Attributes:
        span: Its span; 1 when the source has none.
        path: Its path as its file system has it.
        filesystem: The fsspec file system that it lies in.
    """

    span: int
    path: str
    filesystem: Any

    @property
    def name(self) -> str:
        """Its last part, as messages and manifests name it."""
        return self.path.rsplit("/", 1)[-1]

    def open(self) -> BinaryIO:
        """Open it for reading from its beginning; it can be sought in."""
        return cast(BinaryIO, self.filesystem.open(self.path, "rb"))


class Source(Protocol):
    """Where a table lies."""

    def list_files(self, spans: str) -> list[SpanFile]:
        """The files of the wanted spans, in the order of their spans.

        Args:
            spans: As in `data.spans`.

        Raises:
            ConfigError: When the source or the spans cannot be understood, or it may not be read.
            DataError: When there is no such file or span.
        """

    def fingerprint(self, spans: str) -> str:
        """Fingerprint of the state of the files of some spans: it differs when their content does."""
