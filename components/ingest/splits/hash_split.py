"""Splits by hash, of the features (`hash`, the default) or of some columns (`group`): a row's content alone decides its split, in every run, independent of other rows."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components._core.examples.hash_split import assign_splits, define_split
from components._core.examples.split_definition import HashSplit
from components._core.project.split_config import Split
from components._data.formats.rows import Rows
from components.ingest.splits.contract import Splitter, Table


class HashSplitter(Splitter):
    """Splits by the hash of the features, or of the columns of `data.split.by`."""

    def __init__(self, definition: HashSplit) -> None:
        """Create it with the columns and the shares."""
        self.definition: HashSplit = definition

    @classmethod
    def is_chosen(cls, split: Split) -> bool:
        """See `Splitter`: true unless another splitter is chosen."""
        return True

    @classmethod
    def fit(cls, split: Split, table: Table) -> Self:
        """See `Splitter`; no row is read."""
        return cls(define_split(split, table.features))

    @property
    def cells(self) -> tuple[str, ...]:
        """See `Splitter`: raw cells are hashed, not values in the inferred type."""
        return self.definition.columns

    def assign(self, rows: Rows, name: str = "") -> NDArray[np.int8]:
        """See `Splitter`."""
        return assign_splits(rows.cells, self.definition)
