"""Find rows that nearly equal a row of another split: all features but one are the same, real numbers to three digits.

Copies of a row in which one cell was changed, or numbers were rounded or got noise, are in different splits by any rule
that looks at the whole row; a model is then judged on what it has nearly seen. A row is sketched by one hash for each
feature that is left out. Rows may agree without being copies, and this is discounted twice:

- A feature is left out only if the others would hardly ever agree by chance, as their frequencies say if they were
  independent: rows of a few coarse columns agree often, and mean nothing.
- Features depend on one another: flights of a month on one route agree in all but the day wherever they are as late.
  So a second feature is left out, too: from the rows that agree in the others and not in this one, and from its
  frequencies, follows how many agree in it by chance. The second feature that explains most agreements counts; copies
  agree in each of them, so that none explains them.

Memory is bounded as in `key_counter.py`. Each sketch is compared with all others of its kind, whatever the order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.examples.row_hash import Hashes, finish, hash_column
from components._core.project.gate_config import Severity
from components.validate.findings import to_status
from components.validate.key_counter import KeyCounter

MOST_NEAR = 0.1
"""Share of the eval and test rows, nearly equal to one of another split, from which it is a finding."""
MOST_LEFT_OUT = 16
"""Features that are left out in turn: those with the most different values, which copies are most likely to differ in."""
MOST_BY_CHANCE = 0.01
"""Rows that agree with one row by chance, above which an agreement means nothing."""
_MOST_HASHES = 1 << 16
"""Distinct sketches kept for each split and left-out feature: 1 MiB."""
_SAMPLE = 8_192
_HEAD_CELLS = 1 << 21
"""Cells of each side, by which agreements are explained: 16 MiB."""
_MOST_HEAD = 1 << 15
_FEWEST_AGREEMENTS = 20
_SURE = 1e-6
_DIGITS = 3
_KIND, _NAME = "near_duplicates", "near duplicates in two splits"


Cells = NDArray[np.uint64]
"""What the cells of rows add to their hashes: [features, rows]."""


@dataclass(frozen=True)
class NearDuplicates:
    """Rows of eval and test that nearly equal one of another split.

    Attributes:
        column: The feature that is left out, for which there are most; empty: features do not tell copies from chance.
        share: Share of such rows among the rows of eval and test, without those that are equal in all features.
        held_out: Number of all eval and test rows.
        kept: Share of the sketches that were compared: 1, or less for a long table.
    """

    column: str
    share: float
    held_out: int
    kept: float


@dataclass
class NearDuplicateFinder:
    """Sketches rows as they are read.

    Attributes:
        features: Names of the columns that the model sees.
        train_rows: Number of training rows.
    """

    features: list[str]
    train_rows: int
    _counters: dict[str, KeyCounter] | None = field(default=None)
    _heads: dict[bool, list[Cells]] = field(default_factory=lambda: {True: [], False: []})

    def add(self, split: str, rows: pa.RecordBatch, added: list[Hashes]) -> None:
        """Add rows of one split; training rows come first.

        Args:
            split: The split.
            rows: Rows with the features.
            added: What each feature adds to the hash of each row (`row_hash.hash_column`).
        """
        if not self.features or (self._counters is not None and not self._counters):
            return
        rounded = np.stack([self._round(rows, name, hashes) for name, hashes in zip(self.features, added, strict=True)])
        if self._counters is None:
            names = choose_left_out(self.features, rounded, self.train_rows)
            self._counters = {name: KeyCounter.of_rows(_MOST_HASHES, self.train_rows) for name in names}
        self._keep_head(split == "train", rounded)
        total = rounded.sum(axis=0, dtype=np.uint64)
        for name, counter in self._counters.items():
            counter.add(split, finish(total - rounded[self.features.index(name)]))

    def result(self, equal: float) -> NearDuplicates:
        """Return the feature without which most rows are in two splits.

        Args:
            equal: Share of the rows of eval and test that equal one of another split in all features.
        """
        found = [counter.overlap(name) for name, counter in (self._counters or {}).items()]
        if not found:
            return NearDuplicates("", 0.0, 0, 1.0)
        shares = {overlap.column: max(overlap.share - equal, 0.0) for overlap in found}
        for name in [name for name, share in shares.items() if share > MOST_NEAR]:
            shares[name] *= self._unexplained(name)
        most = max(found, key=lambda overlap: shares[overlap.column])
        return NearDuplicates(most.column, shares[most.column], most.held_out, most.kept)

    def _keep_head(self, is_train: bool, rounded: Cells) -> None:
        head = self._heads[is_train]
        left = min(_MOST_HEAD, _HEAD_CELLS // len(self.features)) - sum(part.shape[1] for part in head)
        if left > 0:
            head.append(rounded[:, :left])

    def _unexplained(self, name: str) -> float:
        """Return the share of the agreements without a feature that no second feature explains."""
        if not all(self._heads.values()):
            return 1.0
        train, held_out = (np.concatenate(self._heads[is_train], axis=1) for is_train in (True, False))
        return measure_unexplained(train, held_out, self.features.index(name))

    def _round(self, rows: pa.RecordBatch, name: str, hashes: Hashes) -> Hashes:
        column = rows.column(rows.schema.get_field_index(name))
        return hash_column(round_numbers(column), name) if pa.types.is_floating(column.type) else hashes


def round_numbers(column: pa.Array) -> pa.Array:
    """Round real numbers to three significant digits; a missing one stays missing."""
    values = column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = 10.0 ** (np.floor(np.log10(np.abs(values))) - (_DIGITS - 1))
        rounded = np.where(np.isfinite(step) & (step > 0), np.round(values / step) * step, values)
    return pa.array(rounded, from_pandas=True)


def measure_unexplained(train: Cells, held_out: Cells, left_out: int) -> float:
    """Measure which share of the rows that agree in all features but one do so for no other reason.

    Args:
        train: Cells of training rows.
        held_out: Cells of eval and test rows.
        left_out: Place of the feature.
    """
    totals = [cells.sum(axis=0, dtype=np.uint64) - cells[left_out] for cells in (train, held_out)]
    agreeing = _count_equal(totals[1], totals[0])
    agreements = int((agreeing > 0).sum())
    if agreements < _FEWEST_AGREEMENTS:
        return 1.0
    explained = 0.0
    for second in range(len(train)):
        if second == left_out:
            continue
        # rows that agree in all others, and not in this one, show how many agree in this one by chance: of copies there are none
        differing = _count_equal(totals[1] - held_out[second], totals[0] - train[second]) - agreeing
        chance = min(_collision_probability(train[second][:_SAMPLE]), 1 - _SURE)
        explained = max(explained, float((1 - (1 - chance) ** (differing / (1 - chance))).sum()))
    return max(1 - explained / agreements, 0.0)


def _count_equal(keys: Hashes, others: Hashes) -> NDArray[np.int64]:
    """Count for each key how many of the others equal it."""
    known, counts = np.unique(others, return_counts=True)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, counts[places], 0)


def choose_left_out(features: list[str], hashes: Cells, rows: int) -> list[str]:
    """Choose the features without which rows do not agree by chance.

    Args:
        features: Names of the features.
        hashes: Cells of some rows.
        rows: Number of rows that a row is compared with.
    """
    agree = np.array([_collision_probability(cells[:_SAMPLE]) for cells in hashes])
    with np.errstate(divide="ignore"):
        logs = np.log(agree)
    chosen = [
        place for place in range(len(features)) if np.log(rows + 1) + logs.sum() - logs[place] < np.log(MOST_BY_CHANCE)
    ]
    return [features[place] for place in sorted(chosen, key=lambda place: agree[place])[:MOST_LEFT_OUT]]


def _collision_probability(cells: NDArray[np.uint64]) -> float:
    """Estimate how likely two rows agree in a column: never less than a sample can show."""
    count = len(cells)
    if count < 2:
        return 1.0
    _, rows = np.unique(cells, return_counts=True)
    return max(float((rows.astype(float) ** 2).sum() - count) / (count * (count - 1)), 1 / count**2)


def to_check(found: NearDuplicates, policy: dict[str, Severity]) -> Check:
    """Make the check, in any case."""
    if not found.column:
        reason = "the features are too few or too coarse to tell copies from rows that agree by chance"
        return Check(_NAME, "skipped", threshold=MOST_NEAR, reason=reason)
    too_many = found.share > MOST_NEAR
    status = to_status(policy[_KIND]) if too_many else "pass"
    part = "" if found.kept == 1 else f" (of a sample: 1 in {1 / found.kept:.0f})"
    reason = (
        f"{found.share:.2%} of {found.held_out:,} eval and test rows nearly equal a row of another split: "
        f"all features but {found.column}, real numbers to three digits{part}"
    )
    if too_many:
        reason += "; if they are copies with changes, keep them together (data.split: {method: group, by: ...}) or remove them"
    if status == "skipped":
        reason += " (ignored by gates.data.anomalies)"
    return Check(_NAME, status, round(found.share, 6), MOST_NEAR, n=found.held_out, reason=reason)
