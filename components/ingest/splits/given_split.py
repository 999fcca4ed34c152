"""Splitter for a split that the source gives, in a column or by folders or names of files; see `_core/examples/given_split.py`."""

from __future__ import annotations

from collections import Counter
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.errors import DataError
from components._core.examples.artifact import SPLITS, Manifest
from components._core.examples.given_split import WORDS, assign_splits, normalize, take_eval
from components._core.examples.hash_split import RULE
from components._core.examples.split_definition import GivenSplit
from components._core.project.split_config import Split
from components._core.types.label_values import as_text
from components._data.formats.rows import Rows
from components.ingest.splits.contract import Splitter, Table

_SHOWN = 5


class GivenSplitter(Splitter):
    """Splits as the source says."""

    def __init__(self, definition: GivenSplit) -> None:
        """Create it with the names of the splits."""
        self.definition: GivenSplit = definition

    @classmethod
    def is_chosen(cls, split: Split) -> bool:
        """See `Splitter`."""
        return split.kind == "given"

    @classmethod
    def fit(cls, split: Split, table: Table) -> Self:
        """See `Splitter`. The names are counted; of a column all rows are read, of folders none."""
        column = split.by[0] if split.by else ""
        names = _count_names(table, column) if column else Counter(dict.fromkeys(table.names, 1))
        words: dict[str, list[str]] = {name: [*listed] for name, listed in (split.values or WORDS).items()}
        values = {normalize(text): name for name, listed in words.items() for text in listed}
        _check_names(names, values, f"column {column!r}" if column else "data.source")
        present = {values[normalize(name)] for name in names if name}
        for needed in ("train", "test"):
            if present and needed not in present:
                message = f"gives no {needed} rows: found {', '.join(sorted(map(repr, names)))}"
                raise DataError(message, where=_place(column), remedy=f"name them in data.split.values.{needed}")
        carve = "eval" not in present
        hashed = tuple(sorted(table.features)) if carve else ()
        share = split.eval / (split.train + split.eval) if carve else 0.0
        return cls(GivenSplit(column, values, hashed, share, RULE))

    @property
    def cells(self) -> tuple[str, ...]:
        """See `Splitter`: raw cells are hashed where eval rows are taken out of train."""
        return self.definition.hashed

    def assign(self, rows: Rows, name: str = "") -> NDArray[np.int8]:
        """See `Splitter`."""
        if self.definition.column:
            names = rows.examples.column(rows.examples.schema.get_field_index(self.definition.column))
            return assign_splits(names, rows.cells, self.definition)
        number = SPLITS.index(self.definition.values[normalize(name)])
        return take_eval(np.full(rows.examples.num_rows, number, dtype=np.int8), rows.cells, self.definition)

    def checks(self, manifest: Manifest) -> list[Check]:
        """See `Splitter`: how many rows each split was given."""
        total = sum(manifest.rows.values())
        sizes = ", ".join(f"{split} {manifest.rows[split]:,}" for split in SPLITS)
        reason = f"given by {_place(self.definition.column)}: {sizes}"
        if self.definition.eval_share:
            reason += f"; none is given as eval, so {self.definition.eval_share:.1%} of the train rows are, by the hash of their features"
        return [Check("given split", "pass", n=total, reason=reason)]


def _place(column: str) -> str:
    return f"column {column!r}" if column else "{split} in data.source"


def _count_names(table: Table, column: str) -> Counter[str]:
    """Count the rows of each name in a column; a missing name is the empty text."""
    names: Counter[str] = Counter()
    for rows in table.read(()):
        encoded = as_text(rows.examples.column(rows.examples.schema.get_field_index(column))).dictionary_encode()
        codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
        counts = np.bincount(codes, minlength=len(encoded.dictionary) + 1)
        names.update(dict(zip([*encoded.dictionary.to_pylist(), ""], map(int, counts), strict=True)))
        if len(names) > 1_000:
            break
    return +names


def _check_names(names: Counter[str], values: dict[str, str], where: str) -> None:
    """Refuse names that are not a split, with the rows of each."""
    unknown = [(name, rows) for name, rows in names.most_common() if normalize(name) not in values]
    if not unknown:
        return
    shown = ", ".join(
        f"{name!r} ({rows:,} rows)" if name else f"no value ({rows:,} rows)" for name, rows in unknown[:_SHOWN]
    )
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    known = ", ".join(values)
    remedy = f"allowed: {known} (in any case); say what other values mean with data.split.values, as in {{train: [A, B], eval: C, test: D}}"
    raise DataError(f"names no split: {shown}{more}", where=where, remedy=remedy)
