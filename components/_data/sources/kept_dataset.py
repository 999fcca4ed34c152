"""The dataset of a version of another project in the same store: `naru://flights@5`. `naru data keep` puts its rows there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from components._core.errors import ConfigError, DataError, UnavailableError
from components._core.examples.kept_rows import KeptRows, find_kept_rows
from components._core.files import fingerprint_of, hash_stream
from components._core.settings import Settings
from components._core.store.filesystems import open_filesystem
from components._data.sources.contract import SpanFile
from components._data.sources.span_expression import parse_spans

SCHEME = "naru://"
_LOCATION = re.compile(r"naru://([a-z](?:[a-z0-9-]{0,38}[a-z0-9])?)@v?([0-9]{1,9})")
_FORMAT = "parquet"


@dataclass(frozen=True)
class KeptDatasetSource:
    """The rows of a version in the store. They are one table without spans, and without the splits of that project.

    Attributes:
        location: Location as in `data.source`.
    """

    location: str

    def list_files(self, spans: str) -> list[SpanFile]:
        """See `Source`. Every file is held against its digest.

        Raises:
            ConfigError: When the location is invalid.
            DataError: When there is no such version, its rows are not in the store, or a file is not what was kept.
            UnavailableError: When the store does not answer.
        """
        parse_spans(spans, None)
        kept = self._find()
        filesystem, base = open_filesystem(kept.uri)
        files = [SpanFile(1, f"{base}/{name}", filesystem, name, format=_FORMAT) for name in sorted(kept.digests)]
        for file in files:
            self._verify(file, kept.digests[file.name])
        return files

    def fingerprint(self, spans: str) -> str:
        """See `Source`: of the digests of its files."""
        parse_spans(spans, None)
        kept = self._find()
        return fingerprint_of(
            [kept.fingerprint, *(f"{name} {digest}" for name, digest in sorted(kept.digests.items()))]
        )

    def state(self, file: SpanFile) -> str:
        """See `Source`: empty, since the dataset has no spans."""
        return ""

    def _find(self) -> KeptRows:
        match = _LOCATION.fullmatch(self.location)
        if match is None:
            message = f"found {self.location!r}; a dataset of the store is named naru://PROJECT@VERSION"
            raise ConfigError(
                message, where="data.source", remedy="name its project and version, as in naru://flights@5"
            )
        return find_kept_rows(Settings.from_environment().store, match[1], match[2])

    def _verify(self, file: SpanFile, digest: str) -> None:
        remedy = "remove the dataset's folder from the store, and keep it again: naru data keep"
        try:
            with file.open() as stream:
                found = hash_stream(stream)
        except FileNotFoundError as error:
            raise DataError(f"{file.name} is missing in the store", where=self.location, remedy=remedy) from error
        except OSError as error:
            message = f"{file.name} cannot be read from the store: {error}"
            raise UnavailableError(message, where=self.location, remedy="check the store, then run again") from error
        if found != digest:
            message = f"{file.name} has changed since it was kept: SHA-256 {found[:12]}, kept {digest[:12]}"
            raise DataError(message, where=self.location, remedy=remedy)
