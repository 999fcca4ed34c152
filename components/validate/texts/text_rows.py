"""What the texts of a column are like, read in one pass over the examples: some 40 bytes of memory for each text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.texts import damage, language, personal_data
from components._core.texts.code_points import read_column
from components._core.types.label_values import as_text
from components._core.types.measured_columns import CHARACTERS, GROUP, LANGUAGE, measured_column
from components.validate.texts.vocabulary import Vocabulary, WordCounter, words_of

Rows = NDArray[np.int64]
Keys = NDArray[np.uint64]
_BATCH_ROWS = 8_192
_KEY_DIGITS = 16


@dataclass(frozen=True)
class Unseen:
    """Words of texts that are not in a vocabulary.

    Attributes:
        unseen: Number of such words, each once for each text.
        words: Number of all words, counted alike.
    """

    unseen: int = 0
    words: int = 0

    @property
    def share(self) -> float:
        """Share of unseen words, 0 to 1."""
        return self.unseen / self.words if self.words else 0.0

    def __add__(self, other: Unseen) -> Unseen:
        return Unseen(self.unseen + other.unseen, self.words + other.words)


@dataclass
class TextRows:
    """The texts of a column; arrays have the shape [rows], in the order of the splits.

    Attributes:
        column: The column.
        split: Place of each row's split in `SPLITS`.
        characters: Number of characters; 0: no text.
        language: Place of each row's language in `language.CODES`.
        exact: Hash of the text; 0: no text.
        words: Hash of its words, in lower case and without punctuation; 0: it has none.
        group: Group of near duplicates; 0: none is known.
        label: Code of the label; -1: none.
        blank: Rows without a visible character.
        damaged: Rows of damaged texts by kind.
        markup: Rows of texts with markup.
        personal: Rows of texts with personal data by kind.
        vocabulary: The words of train.
        held_out: Words of eval and test that train lacks.
        against: Words of the rows to be compared with an earlier vocabulary that it lacks; None: there is none.
    """

    column: str
    split: NDArray[np.int8]
    characters: Rows
    language: NDArray[np.int16]
    exact: Keys
    words: Keys
    group: Keys
    label: NDArray[np.int32]
    blank: Rows
    damaged: dict[str, Rows]
    markup: Rows
    personal: dict[str, Rows]
    vocabulary: Vocabulary
    held_out: Unseen
    against: Unseen | None

    def __len__(self) -> int:
        return len(self.split)

    @property
    def has_text(self) -> NDArray[np.bool_]:
        """Which rows have a text with a visible character."""
        found = np.asarray(self.exact != 0)
        found[self.blank] = False
        return found

    def place(self, row: int) -> tuple[str, int]:
        """Return the split of a row, and its place there from 0."""
        number = int(self.split[row])
        return SPLITS[number], row - int(np.searchsorted(self.split, number))


def read_texts(examples: Path, manifest: Manifest, column: str, label: str, earlier: Vocabulary | None) -> TextRows:
    """Read a column of texts.

    Args:
        examples: The examples artifact.
        manifest: Manifest of the examples.
        column: The column.
        label: The label's column.
        earlier: A vocabulary that the newest span's training rows are compared with.
    """
    reader = _Reader(column, label, earlier)
    newest = manifest.spans[-1:] if len(manifest.spans) > 1 else manifest.spans
    older = [span for span in manifest.spans if span not in newest]
    for number, split in enumerate(SPLITS):
        for spans, is_newest in ((older, False), (newest, True)):
            if spans:
                for batch in _batches(examples, split, spans, manifest, column, label):
                    reader.add(batch, number, is_newest)
        if number == 0:
            reader.end_train()
    return reader.result()


def _batches(
    examples: Path, split: str, spans: list[int], manifest: Manifest, column: str, label: str
) -> Iterator[pa.RecordBatch]:
    measured = [measured_column(column, name) for name in (LANGUAGE, GROUP)]
    wanted = [name for name in (column, label, *measured) if name in manifest.columns]
    yield from read_batches(examples, split, wanted, spans, _BATCH_ROWS)


@dataclass
class _Reader:
    """Gathers what is known of the texts."""

    column: str
    label: str
    earlier: Vocabulary | None
    _parts: dict[str, list[NDArray[np.generic]]] = field(default_factory=dict)
    _rows: dict[str, list[Rows]] = field(default_factory=dict)
    _labels: dict[str, int] = field(default_factory=dict)
    _counter: WordCounter = field(default_factory=WordCounter)
    _vocabulary: Vocabulary | None = None
    _held_out: Unseen = field(default_factory=Unseen)
    _against: Unseen = field(default_factory=Unseen)
    _count: int = 0

    def add(self, batch: pa.RecordBatch, split: int, is_newest: bool) -> None:
        texts = batch.column(batch.schema.get_field_index(self.column))
        if not pa.types.is_string(texts.type):
            texts = texts.cast(pa.string())
        for first, part in read_column(texts):
            rows = slice(first, first + part.count)
            self._add("characters", part.lengths)
            exact = part.hash_ranges(part.starts[:-1], part.starts[1:])
            self._add("exact", np.where(part.lengths > 0, exact, np.uint64(0)))
            letters, _ = part.words
            hashes = letters.hash_ranges(letters.starts[:-1], letters.starts[1:])
            self._add("words", np.where(letters.lengths > 0, hashes, np.uint64(0)))
            self._add("language", self._languages(batch, rows))
            words, _ = words_of(part)
            if split == 0:
                self._counter.add(words)
                if self.earlier is not None and is_newest:
                    self._against += Unseen(self.earlier.unseen(words), len(words))
            elif self._vocabulary is not None:
                self._held_out += Unseen(self._vocabulary.unseen(words), len(words))
        self._add("split", np.full(batch.num_rows, split, np.int8))
        self._add("group", self._groups(batch))
        self._add("label", self._codes(batch))
        self._add_rows("blank", np.flatnonzero(_is_blank(texts)))
        for kind, found in damage.damaged_rows(texts).items():
            self._add_rows(f"damaged {kind}", np.array(found))
        self._add_rows("markup", np.array(damage.markup_rows(texts), np.int64))
        for kind, found in personal_data.count_column(texts).items():
            self._add_rows(f"personal {kind}", np.array(found))
        self._count += batch.num_rows

    def end_train(self) -> None:
        self._vocabulary = self._counter.vocabulary()

    def result(self) -> TextRows:
        def of(name: str, kind: type[np.generic]) -> NDArray[np.generic]:
            return np.asarray(np.concatenate([np.zeros(0, kind), *self._parts.get(name, [])]).astype(kind))

        def rows(name: str) -> Rows:
            return np.concatenate([np.zeros(0, np.int64), *self._rows.get(name, [])])

        def by_kind(prefix: str) -> dict[str, Rows]:
            return {name.removeprefix(prefix): rows(name) for name in self._rows if name.startswith(prefix)}

        return TextRows(
            self.column,
            of("split", np.int8),  # type: ignore[arg-type]
            of("characters", np.int64),  # type: ignore[arg-type]
            of("language", np.int16),  # type: ignore[arg-type]
            of("exact", np.uint64),  # type: ignore[arg-type]
            of("words", np.uint64),  # type: ignore[arg-type]
            of("group", np.uint64),  # type: ignore[arg-type]
            of("label", np.int32),  # type: ignore[arg-type]
            rows("blank"),
            by_kind("damaged "),
            rows("markup"),
            by_kind("personal "),
            self._vocabulary or WordCounter().vocabulary(),
            self._held_out,
            None if self.earlier is None else self._against,
        )

    def _add(self, name: str, values: NDArray[np.generic]) -> None:
        self._parts.setdefault(name, []).append(values)

    def _add_rows(self, name: str, rows: Rows) -> None:
        if len(rows):
            self._rows.setdefault(name, []).append(rows + self._count)

    def _languages(self, batch: pa.RecordBatch, rows: slice) -> NDArray[np.int16]:
        place = batch.schema.get_field_index(measured_column(self.column, LANGUAGE))
        column = batch.column(place)[rows.start : rows.stop].fill_null(language.UNDETERMINED)
        return np.asarray(pc.index_in(column, value_set=pa.array(language.CODES)).fill_null(0)).astype(np.int16)

    def _groups(self, batch: pa.RecordBatch) -> Keys:
        place = batch.schema.get_field_index(measured_column(self.column, GROUP))
        if place < 0:
            return np.zeros(batch.num_rows, np.uint64)
        texts = batch.column(place).fill_null("0" * _KEY_DIGITS).to_pylist()
        return np.frombuffer(bytes.fromhex("".join(texts)), dtype=">u8").astype(np.uint64)

    def _codes(self, batch: pa.RecordBatch) -> NDArray[np.int32]:
        place = batch.schema.get_field_index(self.label)
        if place < 0:
            return np.full(batch.num_rows, -1, np.int32)
        encoded = as_text(batch.column(place)).cast(pa.string()).dictionary_encode()
        codes = [self._labels.setdefault(value, len(self._labels)) for value in encoded.dictionary.to_pylist()]
        places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return np.asarray(np.array([*codes, -1], np.int32)[places])


def _is_blank(texts: pa.Array) -> NDArray[np.bool_]:
    trimmed = pc.utf8_trim_whitespace(texts)
    return np.asarray(pc.equal(pc.binary_length(trimmed), 0).fill_null(True))


def drifting_text_columns(columns: dict[str, str], texts: list[str]) -> dict[str, str]:
    """Return the type by name of the measured columns of texts whose statistics are kept though the model does not see them.

    Args:
        columns: Type by name of all columns of the examples.
        texts: The columns of texts.
    """
    names = [measured_column(column, name) for column in texts for name in (CHARACTERS, LANGUAGE)]
    return {name: columns[name] for name in names if name in columns}
