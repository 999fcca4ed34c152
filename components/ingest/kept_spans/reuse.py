"""Decides for each span whether its kept rows are those that reading it would give, and keeps what was read.

A kept span is used when nothing changed that its rows depend on: the state of its files, and its reading (`_reading`). Its
rows' splits depend on the definition of the split, too. Where a row's example alone decides its split, as by time, a kept
span is split again when the definition changed; where raw cells do, it is read again. A stratified split goes by the raw
cells of all rows, so it reads them all; and so do `data.rows.dedupe` and the near
duplicates of `data.texts`, which compare the rows of all spans.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

import components
from components import VERSION
from components._core.errors import NaruError, first_line
from components._core.examples.artifact import SPLITS, SourceFile, split_file
from components._core.files import fingerprint_of
from components._core.project.project_file import Project
from components._core.setting_names import STORE
from components._core.settings import Settings
from components._core.types.span_units import NUMBER, runs_of
from components._data.formats.bad_rows import BadRow
from components._data.formats.contract import Format, TableSchema
from components._data.formats.file_notes import FileNotes, dump_fields
from components._data.formats.rows import Rows
from components._data.joins.table_joins import TableJoins
from components._data.sources.contract import Source, SpanFile
from components._data.sources.registry import is_database, span_unit
from components.ingest.kept_spans import rows as kept_rows
from components.ingest.kept_spans.entry import NUMBERS, REJECTS, FileRead, KeptSpan, part_name
from components.ingest.kept_spans.store import FOLDER, Index, SpanRecord, SpanStore
from components.ingest.span_writer import SpanWriter
from components.ingest.splits.contract import Splitter

_CODE = ("_core", "_data", "ingest")
_CORRECTED = "corrected"
_PACKAGES = ("numpy", "pandas", "pyarrow")
_NOT_READING = frozenset(
    {"source", "spans", "missing_spans", "pin", "split", "quarantine_limit", "exclusion_reasons", "checks", "join"}
)
"""Keys of `data` that decide neither which values a file's rows have nor which of them are set aside or left out; and the joins, which say
themselves what decides it."""


class Recording:
    """Records one span while it is read, so that it can be kept."""

    def __init__(self, folder: Path, with_numbers: bool) -> None:
        folder.mkdir()
        self.files: list[FileRead] = []
        self.rejects = folder / REJECTS
        self.numbers = kept_rows.NumbersFile(folder / NUMBERS) if with_numbers else None
        self._lines: TextIO = self.rejects.open("w", encoding="utf-8")

    def reject(self, row: BadRow) -> None:
        """Record a row that is set aside."""
        self._lines.write(json.dumps(asdict(row)) + "\n")

    def assign(self, numbers: NDArray[np.int8]) -> None:
        """Record the splits of the next rows."""
        if self.numbers is not None:
            self.numbers.write(numbers)

    def close(self) -> None:
        """End the files."""
        self._lines.close()
        if self.numbers is not None:
            self.numbers.close()


@dataclass
class _Span:
    """A span of this run.

    Attributes:
        files: Its files.
        state: Fingerprint of their state.
        reading: Fingerprint of all that decides how its rows are read.
        why: Why it was read; empty: it was not.
    """

    files: list[SpanFile]
    state: str
    reading: str = ""
    why: str = ""


@dataclass
class SpanReuse:
    """The kept spans of one run of ingest; without a store, or for a source without spans, it does nothing.

    Attributes:
        notes: Notes on the files, for the format.
    """

    project: Project
    source: Source
    store: SpanStore | None = None
    notes: FileNotes = field(default_factory=FileNotes)
    _earlier: Index = field(default_factory=Index)
    _spans: dict[int, _Span] = field(default_factory=dict)
    _opened: dict[str, KeptSpan | None] = field(default_factory=dict)
    _records: list[Callable[[], SpanRecord]] = field(default_factory=list)
    _split_again: list[int] = field(default_factory=list)
    _off: str = ""
    _cleanup: ExitStack = field(default_factory=ExitStack)

    @classmethod
    @contextmanager
    def opened(cls, project: Project, source: Source, files: Sequence[SpanFile]) -> Iterator[SpanReuse]:
        """Open the kept spans of a project, for the duration of a run; `NARU_STORE` names the store."""
        reuse = cls(project, source)
        with reuse._cleanup:
            if os.environ.get(STORE) and span_unit(project.data) is not None:
                reuse._open(files)
            yield reuse

    def _open(self, files: Sequence[SpanFile]) -> None:
        by_span: dict[int, list[SpanFile]] = {}
        for file in files:
            by_span.setdefault(file.span, []).append(file)
        pictures = self.project.data.pictures
        if pictures is not None and pictures.near:
            self._off = "pictures that show the same are found among all of them" if len(by_span) > 1 else ""
            return
        if self.project.data.rows.dedupe:
            self._off = "data.rows.dedupe compares the rows of all of them" if len(by_span) > 1 else ""
            return
        if self.project.data.texts.groups:
            self._off = "near duplicates of texts are found over all of them" if len(by_span) > 1 else ""
            return
        states = self._states(files)
        if not all(states.values()):
            self._off = "the source does not say which of them changed" if len(by_span) > 1 else ""
            return
        self._spans = {span: _Span(found, _state(found, states)) for span, found in by_span.items()}
        store = SpanStore(f"{Settings.from_environment().store}/{self.project.name}/{FOLDER}")
        try:
            self._earlier = store.load()
        except (NaruError, OSError) as error:
            self._off = f"kept spans cannot be used: {first_line(error)}"
            return
        self.store = store
        self._folder = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory()))
        self._pool = self._cleanup.enter_context(ThreadPoolExecutor(1))
        # a file that a source decides the format of has no notes: a database may change a column's type and not its state
        noted = {file.path: states[file.path] for file in files if not file.format}
        self.notes = FileNotes({path: f"{_code()} {state}" for path, state in noted.items()}, self._earlier.notes)

    def begin(self, table: Format, schema: TableSchema, joins: TableJoins) -> None:
        """Begin with the rows.

        Args:
            table: The format, after schema inference.
            schema: The schema.
            joins: The joins, with their second tables: another content gives other rows.
        """
        for span in self._spans.values():
            span.reading = _reading(self.project, table, schema, span.files, joins)

    def read_for_split(self, span: int, cells: Collection[str], columns: Sequence[str]) -> Iterator[Rows] | None:
        """Return some columns of a kept span's rows, in any order, to fit a splitter; None: it must be read.

        Args:
            span: The span.
            cells: Columns of which raw cells are needed: they are not kept.
            columns: Columns that are needed.
        """
        if cells and self.store is not None:
            self._off = "the split goes by the cells of every row" if len(self._spans) > 1 else ""
            self.store = None
        kept = None if self.store is None else self._find(span)
        return None if kept is None else kept_rows.read_any_order(kept, columns)

    def place(self, span: int, splitter: Splitter, examples: Path) -> KeptSpan | None:
        """Place a span's kept rows among the examples; None: it must be read.

        Args:
            span: The span.
            splitter: The fitted splitter.
            examples: Folder of the examples.
        """
        if self.store is None:
            return None
        definition = splitter.definition.fingerprint
        kept = self._find(span, definition, _goes_by_examples(splitter))
        if kept is None:
            return None
        same = [record for record in self._candidates(span) if record.entry == kept.entry]
        content = same[0].content
        if all(record.definition != definition for record in same) and not kept_rows.is_split_alike(kept, splitter):
            self._place_split_again(span, kept, splitter, examples, content)
            return kept
        kept_rows.place(kept, span, examples)
        record = self._record(span, definition, content, kept.entry)
        self._records.append(lambda: record)
        return kept

    @contextmanager
    def recording(self, span: int, splitter: Splitter, examples: Path) -> Iterator[Recording | None]:
        """Record a span while it is read, and keep it; None: nothing is to be recorded.

        A span whose files changed while they were read is not kept.
        """
        if self.store is None:
            yield None
            return
        self._spans[span].why = self._why(span)
        recording = Recording(self._folder / str(span), _goes_by_examples(splitter))
        try:
            yield recording
        finally:
            recording.close()
        content = _content([read.file for read in recording.files])
        if content in {record.content for record in self._earlier.by_span.get(span, [])}:
            self._spans[span].why = self._spans[span].why.replace(_CORRECTED, "written again with the same content")
        files = self._spans[span].files
        if _state(files, self._states(files)) == self._spans[span].state:
            self._keep(span, splitter, examples, recording, content)

    def finish(self) -> None:
        """Wait until all is kept, and write the index."""
        if self.store is None:
            return
        try:
            records = [made() for made in self._records]
            self.store.save(Index(records, self.notes.current))
        except (NaruError, OSError) as error:
            self._off = f"what was read cannot be kept: {first_line(error)}"

    def describe(self) -> str:
        """Describe which spans were reused, as in `spans: 11 reused, 1 read (12: corrected)`; empty: none was kept before."""
        count = len(self._spans)
        if self._off:
            return f"spans: all read: {self._off}" if self.store is None else f"spans: {self._off}"
        if not self._earlier.records:
            return ""
        by_reason: dict[str, list[int]] = {}
        for number, span in self._spans.items():
            if span.why:
                by_reason.setdefault(span.why, []).append(number)
        read = sum(map(len, by_reason.values()))
        again = f" ({len(self._split_again)} split again)" if self._split_again else ""
        unit = span_unit(self.project.data) or NUMBER
        reasons = [
            f"{unit.ranges(runs_of(sorted(map(unit.position, spans))))}: {why}" for why, spans in by_reason.items()
        ]
        return f"spans: {count - read} reused{again}, {read} read" + (f" ({'; '.join(reasons)})" if reasons else "")

    def _states(self, files: Sequence[SpanFile]) -> dict[str, str]:
        try:
            return {file.path: self.source.state(file) for file in files}
        except (NaruError, OSError):  # reading the file will say why
            return {file.path: "" for file in files}

    def _candidates(self, span: int) -> list[SpanRecord]:
        """Return the records of rows that are those of a span, the newest first."""
        wanted = self._spans[span]
        found = self._earlier.by_span.get(span, [])
        return [record for record in found if (record.state, record.reading) == (wanted.state, wanted.reading)]

    def _find(self, span: int, definition: str = "", may_split: bool = False) -> KeptSpan | None:
        """Open a span's kept rows.

        Args:
            span: The span.
            definition: Fingerprint of the split's definition; empty: of any.
            may_split: Whether rows in other splits will do, which can be split again.
        """
        found = self._candidates(span)
        exact = [record for record in found if record.definition == definition or not definition]
        for record in exact:
            if (kept := self._fetch(record.entry)) is not None:
                return kept
        for record in found if may_split else []:
            if (kept := self._fetch(record.entry)) is not None and NUMBERS in kept.parts:
                return kept
        return None

    def _fetch(self, entry: str) -> KeptSpan | None:
        if entry not in self._opened and self.store is not None:
            try:
                self._opened[entry] = self.store.fetch(entry, self._folder / "entries")
            except NaruError:
                self._opened[entry] = None
        return self._opened[entry]

    def _why(self, span: int) -> str:
        """Say why a span must be read."""
        wanted = self._spans[span]
        known = self._earlier.by_span.get(span, [])
        if not known:
            newest = max(self._earlier.by_span, default=-1)
            return "new" if span > newest else "not read before"
        if all(record.state != wanted.state for record in known):
            return _CORRECTED
        if any(self._opened.get(record.entry, True) is None for record in self._candidates(span)):
            return "its kept rows are missing or damaged"
        joins = " (or a table of data.join)" if self.project.data.join else ""
        return f"the settings of data, the split or Naru changed{joins}"

    def _place_split_again(self, span: int, kept: KeptSpan, splitter: Splitter, examples: Path, content: str) -> None:
        recording = Recording(self._folder / str(span), with_numbers=True)
        with SpanWriter(examples, span) as writer:
            for row in kept.rejects():
                recording.reject(row)
            kept_rows.split_again(kept, splitter, writer, recording.assign)
        recording.files = kept.files
        recording.close()
        self._split_again.append(span)
        self._keep(span, splitter, examples, recording, content)

    def _keep(self, span: int, splitter: Splitter, examples: Path, recording: Recording, content: str) -> None:
        """Keep a span beside the work on the next one."""
        paths = {split: split_file(examples, split, span) for split in SPLITS}
        parts = {part_name(split): path for split, path in paths.items() if path.exists()}
        parts[REJECTS] = recording.rejects
        if recording.numbers is not None:
            parts[NUMBERS] = recording.numbers.path
        if self.store is None:
            return
        entry: Future[str] = self._pool.submit(self.store.keep, recording.files, parts)
        definition = splitter.definition.fingerprint
        self._records.append(lambda: self._record(span, definition, content, entry.result()))

    def _record(self, span: int, definition: str, content: str, entry: str) -> SpanRecord:
        of = self._spans[span]
        return SpanRecord(span, of.state, of.reading, definition, content, entry)


def _goes_by_examples(splitter: Splitter) -> bool:
    """Return whether a row's example alone decides its split, so that kept rows can be split again."""
    return not splitter.cells and bool(splitter.definition.columns)


def _state(files: Sequence[SpanFile], states: dict[str, str]) -> str:
    parts = [[file.name, file.split, file.format, file.partition, states[file.path]] for file in files]
    return fingerprint_of([json.dumps(parts)])


def _content(files: Sequence[SourceFile]) -> str:
    return fingerprint_of(file.sha256 for file in files)


def _reading(project: Project, table: Format, schema: TableSchema, files: Sequence[SpanFile], joins: TableJoins) -> str:
    """Return a fingerprint of all that decides how a span's rows are read, besides its files.

    A new rule of ingest that looks at the rows of other spans must be part of it.
    """
    readings = {
        name: [reading.kind, reading.decimal, reading.order, sorted(reading.missing), reading.odd_cells]
        for name, reading in schema.readings.items()
    }
    names = [file.name for file in files]
    parts = [
        _code(),
        project.label,
        project.data.source if is_database(project.data.source) else "",
        project.data.model_dump(mode="json", exclude=set(_NOT_READING)),
        table.options,
        [table.file_options(file) for file in files],
        [[name, str(kind)] for name, kind in schema.types.items()],
        [[name, str(kind)] for name, kind in schema.raw_types.items()],
        readings,
        None if schema.nested is None else dump_fields(list(schema.nested)),
        [name in schema.clean for name in names],
        sorted(pair for pair in schema.unfit if pair[0] in names),
        joins.definitions,
    ]
    return fingerprint_of([json.dumps(parts, sort_keys=True, default=str)])


@cache
def _code() -> str:
    """Return a fingerprint of Naru's reader: its code and the packages that it reads with."""
    root = Path(components.__file__).parent
    files = sorted(path for folder in _CODE for path in (root / folder).rglob("*.py"))
    packages = [f"{name} {version(name)}" for name in _PACKAGES]
    contents = (part for path in files for part in (path.relative_to(root).as_posix(), path.read_text("utf-8")))
    return fingerprint_of([VERSION, *packages, *contents])
