"""What a format of tables is: it names the columns of a file, infers a schema over all files, and reads rows in bounded batches.

A format knows nothing of where files lie (`sources/contract.py`), and a source nothing of what is in them. Nothing heavy is
imported here: `naru run` chooses the format of a source before it loads anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from components._core.project.project_file import Data
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    import pyarrow as pa

    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows


@dataclass(frozen=True)
class TableSchema:
    """What the files of a table hold.

    Attributes:
        types: Arrow type (`int64`, `float64` or `string`) by column, in the first file's order; it holds for all files.
        clean: Names of the files of which inference saw that every cell of every row has its column's type. A format whose
            files state their types leaves it empty.
    """

    types: dict[str, pa.DataType]
    clean: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True)
class Preview:
    """The beginning of a file.

    Attributes:
        columns: The columns' names.
        rows: The first rows, every cell as text; empty where a value is missing.
    """

    columns: list[str]
    rows: list[list[str]]


class Format(ABC):
    """A format of tables.

    Attributes:
        name: Its name in `data.format`.
        endings: Endings of the file names that it recognises, in lower case.
    """

    name: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]

    def __init__(self, data: Data) -> None:
        """Read by the options of a project's `data` section."""
        self.data = data

    @property
    def options(self) -> dict[str, Any]:
        """What of the project changes how files are read, as JSON; it is part of the examples' fingerprint."""
        return {"format": self.name}

    @abstractmethod
    def column_names(self, file: SpanFile) -> list[str]:
        """The columns of a file.

        Raises:
            DataError: When it is not a file of this format.
        """

    @abstractmethod
    def preview(self, file: SpanFile) -> Preview | None:
        """The beginning of a file; None where it cannot be read at a glance, which `infer_schema` then explains."""

    @abstractmethod
    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """The columns and types that hold for all files, in bounded memory.

        Args:
            files: In the order of their spans.
            label: The label's column, which must be there.

        Raises:
            DataError: When a file cannot be read, or its columns differ from those of the files before it.
        """

    @abstractmethod
    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """Yield a file's rows in bounded batches.

        Args:
            file: Which file.
            schema: From `infer_schema`, over this file and others.
            label: The label's column; a row without it is set aside.
            reject: Called with every row that is set aside, with its place and the reason.
            cells: Columns whose raw cells are wanted, too.
            tally: Counts what is read.

        Raises:
            DataError: When the file is damaged.
        """
