"""A table of a database: rows go into a staging table, which gets the table's name in one transaction.

Beside the table `answers` there is `answers_rejected` with the rejected rows, as far as there are some, and `naru_predictions`, which says
of each table what was predicted by what. Numbers, truth values and texts keep their types; a time is ISO text, bytes are base64, a
list is JSON.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from components._core.errors import ConfigError
from components._core.examples.safe_parquet import pq
from components.predict.destinations.contract import (
    Batch,
    Destination,
    Manifest,
    dump_manifest,
    refuse_other,
)
from components.predict.output_formats import OUTPUT_FORMATS, OutputFormat, plain_columns

RECORDS = "naru_predictions"
REJECTED = "_rejected"
STAGING = "_naru_staging"
_REJECTED_COLUMNS = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("unit", pa.string()),
        ("code", pa.string()),
        ("message", pa.string()),
        ("text", pa.string()),
    ]
)


class TableWriter(ABC):
    """A database that predictions are written to.

    Attributes:
        longest_name: Bytes that the name of a table may have; the database cuts a longer one. 0: any number.
    """

    longest_name: ClassVar[int] = 0

    @abstractmethod
    def find(self, table: str) -> tuple[bool, str | None]:
        """Return whether a table is there, and what `naru_predictions` has of it: a manifest as JSON; None: nothing."""

    @abstractmethod
    def write(self, tables: dict[str, Iterator[pa.Table]], removed: list[str], table: str, manifest: str) -> None:
        """Write tables by way of staging tables, all or none; tables of these names are replaced.

        Args:
            tables: Rows by table, in parts of equal columns.
            removed: Tables that are removed with them, if they are there.
            table: The table that the manifest is of.
            manifest: The manifest as JSON.
        """


@dataclass(frozen=True)
class TableDestination(Destination):
    """A table.

    Attributes:
        writer: Its database.
        table: Its name.
        location: Location of the database, for messages.
        replace: Whether predictions that are there are replaced.
        format: Format of the parts until they are there.
    """

    writer: TableWriter
    table: str
    location: str
    replace: bool
    format: OutputFormat = OUTPUT_FORMATS["parquet"]

    def __post_init__(self) -> None:
        """Refuse a name that leaves no room for those of the tables beside it, which would be cut to the same one."""
        most = self.writer.longest_name - len(REJECTED + STAGING)
        size = len(self.table.rpartition(".")[2].encode())
        if self.writer.longest_name and size > most:
            message = f"the name has {size} bytes; the database keeps {self.writer.longest_name}, and tables beside it need {len(REJECTED + STAGING)}"
            raise ConfigError(message, where="--output-table", remedy=f"name a table with at most {most} bytes")

    def find_complete(self, batch: str) -> Manifest | None:
        """See `Destination`."""
        is_there, record = self.writer.find(self.table)
        manifest: Manifest | None = json.loads(record) if record else None
        own = {self.table: is_there, self.table + REJECTED: self.writer.find(self.table + REJECTED)[0]}
        for (name, found), key in zip(own.items(), ("parts", "rejected_parts"), strict=True):
            if found and not (manifest and manifest[key]):
                raise refuse_other(f"{self.location}, table {name}", None)
        if manifest and manifest["batch"] == batch and (is_there or not manifest["parts"]):
            return manifest
        if manifest and manifest["batch"] != batch and any(own.values()) and not self.replace:
            raise refuse_other(f"{self.location}, table {self.table}", manifest)
        return None

    def publish(self, batch: Batch) -> None:
        """See `Destination`."""
        tables: dict[str, Iterator[pa.Table]] = {}
        if batch.answers:
            tables[self.table] = (plain_columns(_read(part)) for part in batch.read(batch.answers))
        if batch.rejected:
            tables[self.table + REJECTED] = (_rejected(part) for part in batch.read(batch.rejected))
        removed = [name for name in (self.table, self.table + REJECTED) if name not in tables]
        self.writer.write(tables, removed, self.table, dump_manifest(batch.manifest).decode())


def _read(part: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(part))


def _rejected(part: bytes) -> pa.Table:
    # not splitlines(), which cuts at U+2028 and the like: JSON has them as they are
    rows = [json.loads(line.decode("utf-8", "surrogatepass")) for line in part.split(b"\n") if line]
    return pa.Table.from_pylist(rows, _REJECTED_COLUMNS)
