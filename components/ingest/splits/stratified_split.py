"""Stratified splitter: as by hash, with the shares held in each class of the label; see `_core/examples/stratified_split.py`."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check, Status
from components._core.examples import row_hash
from components._core.examples.artifact import Manifest
from components._core.examples.hash_split import RULE, to_fractions
from components._core.examples.split_definition import StratifiedSplit
from components._core.examples.stratified_split import MANY, assign_splits, find_borders
from components._core.project.split_config import Split
from components._core.types.label_values import as_text
from components._data.formats.rows import Rows
from components.ingest.splits.contract import Splitter, Table

_MOST_CLASSES = 10_000
"""Classes with borders of their own: further ones have the configured shares. Memory: 32 KiB for each."""
_FEWEST = 3
"""Distinct rows of a class that has a row in each split."""


class StratifiedSplitter(Splitter):
    """Splits by the hash of the features, with borders for each class that has few rows."""

    def __init__(self, definition: StratifiedSplit, few: list[str]) -> None:
        """Create it with the borders, and the classes with too few rows for three splits."""
        self.definition: StratifiedSplit = definition
        self._few = few

    @classmethod
    def is_chosen(cls, split: Split) -> bool:
        """See `Splitter`."""
        return split.kind == "stratified"

    @classmethod
    def fit(cls, split: Split, table: Table) -> Self:
        """See `Splitter`. Memory grows with the number of classes: 32 KiB at most for each."""
        hashed = tuple(sorted(table.groups or table.features))
        rare = _find_rare(table, hashed)
        borders = {name: find_borders(found, split.train, split.eval) for name, found in sorted(rare.items())}
        few = sorted(name for name, found in rare.items() if len(found) < _FEWEST)
        return cls(StratifiedSplit(RULE, hashed, table.label, borders, split.train, split.eval, split.test), few)

    @property
    def cells(self) -> tuple[str, ...]:
        """See `Splitter`: raw cells are hashed, as in a split by hash."""
        return self.definition.hashed

    def assign(self, rows: Rows, name: str = "") -> NDArray[np.int8]:
        """See `Splitter`."""
        labels = rows.examples.column(rows.examples.schema.get_field_index(self.definition.label))
        return assign_splits(rows.cells, labels, self.definition)

    def checks(self, manifest: Manifest) -> list[Check]:
        """See `Splitter`: how many classes have borders of their own, and which have too few rows for three splits."""
        total = sum(manifest.rows.values())
        count = len(self.definition.borders)
        status: Status = "warn" if self._few else "pass"
        reason = f"stratified by {self.definition.label}: {count} classes with fewer than {MANY:,} different rows have exact shares"
        if self._few:
            named = ", ".join(map(repr, self._few[:5])) + (", ..." if len(self._few) > 5 else "")
            reason += f"; {len(self._few)} have fewer than three, so that a split lacks them: {named}"
        return [Check("stratified split", status, float(len(self._few)), 0.0, n=total, reason=reason)]


def _find_rare(table: Table, hashed: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the distinct fractions of hashes, ascending, of each class that has fewer than `MANY`."""
    found: dict[str, NDArray[np.float64]] = {}
    for rows in table.read(hashed):
        labels = rows.examples.column(rows.examples.schema.get_field_index(table.label))
        fractions = to_fractions(row_hash.hash_rows(rows.cells, hashed))
        encoded = as_text(labels).dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        for code, name in enumerate(encoded.dictionary.to_pylist()):
            known = found.get(name)
            if (known is None and len(found) >= _MOST_CLASSES) or (known is not None and len(known) >= MANY):
                continue  # it has the configured shares
            of_class = np.unique(fractions[codes == code])
            merged = of_class if known is None else np.union1d(known, of_class)
            found[name] = merged[:MANY]
    return {name: fractions for name, fractions in found.items() if len(fractions) < MANY}
