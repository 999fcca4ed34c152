"""Where the table of a new project is: any source that ingest reads, and how project.yaml names it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from components._core.credentials import find_credentials, masked_uri
from components._core.errors import ConfigError
from components._core.project.column_config import ColumnReading
from components._core.project.data_config import Data
from components._core.project.table_config import Csv, Sql
from components._data.sources.contract import SpanFile
from components._data.sources.registry import is_database, open_source, path_prefix
from components._data.sources.span_pattern import parse_pattern

MOST_ROWS = 1_000_000
"""Rows of a table that is not on this machine from which the project is made: enough to judge its columns."""
_MOST_FILES = 20
_CLOSEST_FOLDERS = 2


@dataclass(frozen=True)
class TableLocation:
    """A table.

    Attributes:
        source: Path or URL as in `data.source`; a relative path is relative to the working directory.
        sql: What of a database is the table, as in `data.sql`.
    """

    source: str
    sql: Sql | None = None

    @classmethod
    def parse(cls, source: str, table: str = "", query: str = "") -> TableLocation:
        """Parse `--data`, `--table` and `--query`.

        Raises:
            ConfigError: When the address has a password in it, a database has no table, or the table is named and there is no
                database.
        """
        if found := find_credentials(source):
            remedy = (
                "keep it in the environment: PGPASSWORD, or '${NAME}' for a variable with the whole connection string"
            )
            raise ConfigError(f"holds {found}, which would be in project.yaml", where=masked_uri(source), remedy=remedy)
        if not is_database(source):
            if table or query:
                remedy = "leave the option out, or name a database with --data"
                raise ConfigError("--table and --query are for databases", where=source, remedy=remedy)
            return cls(source)
        if bool(table) == bool(query):
            remedy = "name it with --table, or give a SELECT with --query"
            raise ConfigError("which table of this database?", where=source, remedy=remedy)
        try:
            return cls(source, Sql(table=table, query=query))
        except ValidationError as error:
            raise ConfigError(str(error.errors()[0]["msg"]), where="naru new", remedy="correct the option") from None

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, where reading all of it costs nothing but time."""
        return "://" not in self._path

    @property
    def name(self) -> str:
        """Its name in comments: of its file, or of its table."""
        if self.sql is not None:
            return self.sql.table or "a query"
        return self.source.rstrip("/").rpartition("/")[2].partition("?")[0] or self.source

    def as_data(self, csv: Csv, readings: Mapping[str, ColumnReading] | None = None) -> Data:
        """Return the `data` section that reads it.

        Args:
            csv: How a CSV is written.
            readings: How cells are read.
        """
        return Data(source=self.source, sql=self.sql, csv=csv, columns=dict(readings or {}))

    def list_files(self) -> list[SpanFile]:
        """List its files; errors as of a source."""
        self._check_path()
        return open_source(self.source, sql=self.sql).list_files("all")

    def choose_files(self, files: list[SpanFile]) -> list[SpanFile]:
        """Return which of its files to read: of many that are elsewhere some, from the first to the last."""
        if self.is_here or len(files) <= _MOST_FILES:
            return files
        return [files[place * (len(files) - 1) // (_MOST_FILES - 1)] for place in range(_MOST_FILES)]

    def in_project(self, folder: Path) -> tuple[str, bool]:
        """Return its location for the project file, and whether it is relative to the project's folder.

        Relative when both are close together, so that they can move and be committed together; else absolute.
        """
        if not self.is_here:
            return self.source, False
        prefix = self.source.removesuffix(self._path)
        place = Path(self._path).absolute()
        relative = Path(os.path.relpath(place, folder.absolute()))
        is_close = relative.parts.count("..") <= _CLOSEST_FOLDERS
        return prefix + (relative if is_close else place).as_posix(), is_close

    @property
    def _path(self) -> str:
        return self.source.removeprefix(path_prefix(self.source))

    def _check_path(self) -> None:
        """Refuse a file of this machine that does not exist, with the name that was probably meant."""
        if "{split}" in self.source:
            remedy = "name one of its files; then set data.source, and data.split: {method: given}, in project.yaml"
            raise ConfigError("has {split}, which is for project.yaml", where=self.source, remedy=remedy)
        path = Path(self.source)
        if not self.is_here or path_prefix(self.source) or parse_pattern(self.source) is not None or path.exists():
            return
        there = [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, there, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"there is no such file{meant}", where=self.source, remedy="name a table with --data")
