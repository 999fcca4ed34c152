"""The measured columns of pictures: what ingest found in each, read without the pictures themselves.

Beside a column of pictures examples have columns named after it: `picture.width`, `picture.brightness`, ... They are kept
from the model, and are small: some 100 bytes a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.examples.artifact import SPLITS, Manifest, split_file
from components._core.examples.safe_parquet import pq
from components._core.types.column_types import BYTES
from components._core.types.label_values import as_text
from components._core.types.measured_columns import GROUP, PICTURE_MEASURES, measured_column

DIGEST = "sha256"
DRIFTING = ("width", "height", "size", "brightness", "contrast", "sharpness", "colour", "mode", "format")
"""Measures whose statistics are kept, so that later pictures can be compared with them."""
NUMBERS = ("width", "height", "frames", "brightness", "contrast", "sharpness", "colour")
TEXTS = ("mode", "format", "named")
_KEYS = (DIGEST, GROUP)
_BATCH_ROWS = 65_536
_KEY_DIGITS = 16

Numbers = NDArray[np.float64]
Keys = NDArray[np.uint64]
Codes = NDArray[np.int32]


@dataclass
class Texts:
    """Texts as codes.

    Attributes:
        codes: Code of each value, shape [pictures]; -1: no value.
        values: Value by code.
    """

    codes: Codes
    values: list[str]

    def at(self, row: int) -> str:
        """Return the value of a row; empty: none."""
        code = int(self.codes[row])
        return self.values[code] if code >= 0 else ""


@dataclass
class MeasuredPictures:
    """What ingest measured, for the rows that have a picture; arrays have the shape [pictures].

    Attributes:
        column: The column of the pictures.
        files: The files with the rows, with split and span.
        file: Place of each row's file.
        place: Place of each row in its file, from 0.
        split: Place of each row's split in `SPLITS`.
        label: The label as text.
        numbers: Numeric measures by name.
        texts: Texts by name: mode, format, and the format that the file's name says.
        digest: First 64 bits of the SHA-256.
        group: Group of near duplicates; 0: none.
    """

    column: str
    files: list[tuple[str, int, Path]]
    file: Codes
    place: NDArray[np.int64]
    split: Codes
    label: Texts
    numbers: dict[str, Numbers]
    texts: dict[str, Texts]
    digest: Keys
    group: Keys

    def __len__(self) -> int:
        return len(self.digest)


def find_picture_column(columns: dict[str, str]) -> str:
    """Return the column of pictures that ingest measured; empty: there is none.

    Args:
        columns: Type by name of all columns of the examples.
    """
    names = (name for name, kind in columns.items() if kind == BYTES.name)
    return next(
        (name for name in names if {measured_column(name, measure) for measure in PICTURE_MEASURES} <= columns.keys()),
        "",
    )


def drifting_columns(columns: dict[str, str]) -> dict[str, str]:
    """Return the type by name of the measured columns whose statistics are kept though the model does not see them."""
    picture = find_picture_column(columns)
    names = [measured_column(picture, measure) for measure in DRIFTING] if picture else []
    return {name: columns[name] for name in names if name in columns}


def read_measures(examples: Path, manifest: Manifest, picture: str, label: str) -> MeasuredPictures:
    """Read the measured columns of all splits.

    Args:
        examples: The examples artifact.
        manifest: Manifest of the examples.
        picture: The column of pictures.
        label: The label's column.
    """
    reading = _Reading(picture, label)
    for number, split in enumerate(SPLITS):
        for span in manifest.spans:
            path = split_file(examples, split, span)
            if path.exists():
                reading.add_file(number, split, span, path)
    return reading.result()


@dataclass
class _Column:
    """Parts of one column, joined at the end."""

    parts: list[NDArray[Any]] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)

    def joined(self, dtype: Any) -> NDArray[Any]:
        return np.concatenate(self.parts).astype(dtype, copy=False) if self.parts else np.empty(0, dtype)

    def texts(self) -> Texts:
        return Texts(self.joined(np.int32), list(self.codes))


@dataclass
class _Reading:
    picture: str
    label: str
    files: list[tuple[str, int, Path]] = field(default_factory=list)
    _columns: dict[str, _Column] = field(default_factory=dict)

    def add_file(self, number: int, split: str, span: int, path: Path) -> None:
        place = 0
        for batch in _read(
            path, [*(measured_column(self.picture, name) for name in (*NUMBERS, *TEXTS, *_KEYS)), self.label]
        ):
            known = _column(batch, measured_column(self.picture, DIGEST)).is_valid()
            rows = np.flatnonzero(known.to_numpy(zero_copy_only=False))
            self._add("file", np.full(len(rows), len(self.files), np.int32))
            self._add("place", rows + place)
            self._add("split", np.full(len(rows), number, np.int32))
            place += batch.num_rows
            self._add_measures(batch.filter(known))
        self.files.append((split, span, path))

    def result(self) -> MeasuredPictures:
        def of(name: str, dtype: Any) -> NDArray[Any]:
            return self._columns.get(name, _Column()).joined(dtype)

        def texts(name: str) -> Texts:
            return self._columns.get(name, _Column()).texts()

        return MeasuredPictures(
            self.picture,
            self.files,
            of("file", np.int32),
            of("place", np.int64),
            of("split", np.int32),
            texts("label"),
            {name: of(name, np.float64) for name in NUMBERS},
            {name: texts(name) for name in TEXTS},
            *(of(name, np.uint64) for name in _KEYS),
        )

    def _add_measures(self, batch: pa.RecordBatch) -> None:
        for name in NUMBERS:
            numbers = _column(batch, measured_column(self.picture, name)).cast(pa.float64())
            self._add(name, numbers.to_numpy(zero_copy_only=False))
        for name in TEXTS:
            self._add_texts(name, _column(batch, measured_column(self.picture, name)))
        for name in _KEYS:
            self._add(name, _keys(_column(batch, measured_column(self.picture, name))))
        self._add_texts("label", as_text(_column(batch, self.label)))

    def _add(self, name: str, values: NDArray[Any]) -> None:
        self._columns.setdefault(name, _Column()).parts.append(values)

    def _add_texts(self, name: str, values: pa.Array) -> None:
        column = self._columns.setdefault(name, _Column())
        encoded = values.cast(pa.string()).dictionary_encode()
        codes = [column.codes.setdefault(value, len(column.codes)) for value in encoded.dictionary.to_pylist()]
        places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self._add(name, np.array([*codes, -1], np.int32)[places])


def _read(path: Path, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        names = [name for name in wanted if name in file.schema_arrow.names]
        yield from file.iter_batches(batch_size=_BATCH_ROWS, columns=names)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    place = batch.schema.get_field_index(name)
    return pa.nulls(batch.num_rows, pa.string()) if place < 0 else batch.column(place)


def _keys(digits: pa.Array) -> Keys:
    """Convert texts of hexadecimal digits to their first 64 bits; no text: 0."""
    texts = pc.utf8_slice_codeunits(digits.fill_null("0" * _KEY_DIGITS), 0, _KEY_DIGITS).to_pylist()
    return np.frombuffer(bytes.fromhex("".join(texts)), dtype=">u8").astype(np.uint64)
