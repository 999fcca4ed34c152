"""The interface of databases: the columns and rows of a select, its state, and the dialect of a few expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from components._data.sources.batch_files import Batches

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 8 << 20
"""Approximate size of a batch."""


@dataclass(frozen=True)
class Select:
    """All columns of some rows.

    Attributes:
        table: Quoted name of the table; empty: rows of the query.
        query: The query; empty: rows of the table.
        where: Condition on the rows; empty: all.
    """

    table: str = ""
    query: str = ""
    where: str = ""

    @property
    def sql(self) -> str:
        """The statement; a query without a condition is run as it is written, so that its order holds."""
        return self.query if self.query and not self.where else self.compute("*")

    def compute(self, expressions: str) -> str:
        """Return a statement that computes expressions over the rows."""
        return f"SELECT {expressions} FROM {self._rows}" + (f" WHERE {self.where}" if self.where else "")

    @property
    def whole(self) -> Select:
        """The same without a condition."""
        return replace(self, where="")

    @property
    def _rows(self) -> str:
        return self.table or f"(\n{self.query}\n) AS naru_rows"  # on lines of its own: a query may end with a comment


class Database(ABC):
    """A database that Naru reads. Every method raises the errors of `QuerySource.list_files`."""

    @abstractmethod
    def schema(self, select: Select) -> pa.Schema:
        """Return the columns of a select, with types that examples have."""

    @abstractmethod
    def batches(self, select: Select, schema: pa.Schema) -> Batches:
        """Yield the rows of a select as they arrive, in batches of about `BATCH_BYTES`.

        Args:
            select: The select.
            schema: Its columns, from `schema`.
        """

    @abstractmethod
    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that gives few."""

    @abstractmethod
    def state(self, select: Select) -> str:
        """Return a text that changes when a row of the select does."""

    @property
    def place(self) -> str:
        """What decides which database it is, besides its location: a variable of the environment may name another one."""
        return ""

    @abstractmethod
    def span_number(self, column: str, unit: str) -> str:
        """Return the expression of a row's span: the column's number, or the digits of its year, month or day.

        Args:
            column: The column, quoted.
            unit: `number`, `year`, `month` or `day`.
        """

    def quote_table(self, name: str) -> str:
        """Quote a table's name, or a path of names such as `schema.table`."""
        return ".".join(self.quote(part) for part in name.split("."))

    def quote(self, name: str) -> str:
        """Quote one name."""
        return '"' + name.replace('"', '""') + '"'
