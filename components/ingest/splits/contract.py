"""The interface of splitters: fitted over all rows, with the result as a definition that assigns batches of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.examples.artifact import Manifest
from components._core.examples.split_definition import SplitDefinition
from components._core.project.split_config import Split
from components._data.formats.rows import Rows

ReadRows = Callable[[Collection[str]], Iterator[Rows]]
"""Reads all rows that will become examples, from the start at each call, with the raw cells of some columns."""


@dataclass(frozen=True)
class Table:
    """A table whose rows are to be split.

    Attributes:
        features: The columns without the label and the excluded ones.
        label: The column of the label.
        names: The names that the source's folders or files give splits; empty where they do not.
        groups: Columns with the groups of near duplicates, which a stratified split keeps together; empty: there are none.
        read: Reads all rows, in bounded memory and any order of the spans' rows; a splitter that needs none does not call it.
            The examples have at least the columns that `data.split` names, and all columns where raw cells are requested.
    """

    features: Collection[str]
    label: str
    read: ReadRows
    names: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()


class Splitter(ABC):
    """A way to split rows.

    Attributes:
        definition: All that a row's split depends on besides the row; kept in the manifest, its fingerprint in the
            ledger.
    """

    definition: SplitDefinition

    @classmethod
    @abstractmethod
    def is_chosen(cls, split: Split) -> bool:
        """Return whether the project chooses this splitter."""

    @classmethod
    @abstractmethod
    def fit(cls, split: Split, table: Table) -> Self:
        """Fit the splitter over all rows.

        Args:
            split: The project's `data.split` section.
            table: The table.

        Raises:
            DataError: When the rows cannot be split this way.
        """

    @property
    @abstractmethod
    def cells(self) -> tuple[str, ...]:
        """Return the columns whose raw cells it needs."""

    @abstractmethod
    def assign(self, rows: Rows, name: str = "") -> NDArray[np.int8]:
        """Return the split of each row: 0 train, 1 eval, 2 test, as int8 [rows].

        Args:
            rows: Some rows of a file.
            name: The name that the file's folder or name gives their split.
        """

    def checks(self, manifest: Manifest) -> list[Check]:
        """Return checks with information about this split."""
        return []
