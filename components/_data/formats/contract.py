"""The interface of table formats: column names of a file, schema inference over all files, reading of rows in bounded batches.

A format does not know where files are (`sources/contract.py`), and a source does not know their contents. Nothing heavy
is imported here: `naru run` chooses the format of a source before it loads anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from components._core.project.data_config import Data
from components._data.formats.file_notes import FileNotes
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    import pyarrow as pa

    from components._data.columns.reading import Reading
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows


@dataclass(frozen=True)
class TableSchema:
    """The schema of a table over all its files.

    Attributes:
        types: Arrow type of its examples by column, in the first file's order; it holds for all files.
        clean: Names of the files in which, by inference, every cell of every row has its column's type. A format whose
            files declare their types leaves it empty.
        readings: How the cells of some columns become values (`column_readings.py`); others are values already.
        raw_types: Arrow type in which the cells of these columns are read before that.
        unfit: File and column where most cells do not fit the type of earlier files: their rows are set aside.
        notes: What a person should know of a column's cells, such as their unit.
        unbounded: Columns of real numbers that may be infinite or beyond a float32; in others such a value sets its row aside.
        nested: The columns as the files have them, with objects in objects; None: they have none.
    """

    types: dict[str, pa.DataType]
    clean: frozenset[str] = field(default=frozenset())
    nested: pa.Schema | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    raw_types: dict[str, pa.DataType] = field(default_factory=dict)
    unfit: frozenset[tuple[str, str]] = field(default=frozenset())
    notes: dict[str, str] = field(default_factory=dict)
    unbounded: frozenset[str] = field(default=frozenset())

    @property
    def cell_types(self) -> dict[str, pa.DataType]:
        """Arrow type of each column before its reading is applied."""
        return {**self.types, **self.raw_types}


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
        name: Name of the format in `data.format`.
        endings: File name extensions, in lower case; they count only where the content is not recognised or not at hand.
        extra: The extra of `pyproject.toml` with its packages, which an image has where it was built in; empty: it needs none.
        section: Its own section of `data`; empty: it has none. It is refused in a project whose table has another format.
    """

    name: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]
    extra: ClassVar[str] = ""
    section: ClassVar[str] = ""

    def __init__(self, data: Data) -> None:
        """Create the format with the options of a project's `data` section."""
        self.data = data
        self._notes = FileNotes()

    @property
    def notes(self) -> FileNotes:
        """What is known of single files, so that inference need not read them."""
        return self._notes

    def use_notes(self, notes: FileNotes) -> None:
        """Set the notes, before anything is read."""
        self._notes = notes

    @property
    def options(self) -> dict[str, Any]:
        """Return the settings that change how files are read, as JSON; part of the examples' fingerprint."""
        return {"format": self.name}

    def file_options(self, file: SpanFile) -> Any:
        """Return how one of the files that `infer_schema` saw is read, as JSON, beyond `options` and the schema."""
        return None

    @property
    def detected(self) -> dict[str, Any]:
        """The settings of its section that were detected in the files read so far, and are not the default."""
        return {}

    @property
    def unit(self) -> Literal["line", "row"]:
        """What `Rows.lines` counts: lines of a text, or rows."""
        return "row"

    def describe(self) -> str:
        """Describe in a few words how the files read so far are written, where that is unusual; empty: it is not."""
        return ""

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """Return whether a file is of this format by the first bytes of its content, as far as they can tell.

        Args:
            first: The first `compression.HEAD_BYTES` bytes, decompressed; all of a smaller file.
        """
        return False

    @abstractmethod
    def column_names(self, file: SpanFile) -> list[str]:
        """Return the columns of a file.

        Raises:
            DataError: When it is not a file of this format.
        """

    @abstractmethod
    def preview(self, file: SpanFile) -> Preview | None:
        """Read the beginning of a file; None where that fails, which `infer_schema` then explains."""

    @abstractmethod
    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """Infer the columns and types that hold for all files, in bounded memory.

        Args:
            files: Files in the order of their spans.
            label: The label's column, which must exist; empty: the table has none.

        Raises:
            DataError: When a file cannot be read, or its columns differ from those of the earlier files.
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
            file: The file to read.
            schema: Output of `infer_schema` over this file and others.
            label: The label's column; a row without it is set aside. Empty: the table has none.
            reject: Called with every row that is set aside, with its location and the reason.
            cells: Columns whose raw cells are returned, too.
            tally: Counts what is read.

        Raises:
            DataError: When the file is damaged.
        """
