"""Judges invariants: how many rows are missing, never seen in training, out of its range or of a wrong type.

An invariant breaks when its share of the rows is above the largest of the reference by half a percent of the rows, and not by chance: the
exact binomial test, and where the share differs between days of training by more than chance also the tail of those differences. A
distance over all cells would drown it.

A few days say little of how usual a record is: with fewer than `FEWEST_BLOCKS` numbers out of range are also held against the records of all
numbers together, and are a warning at most, unless they are far more than any number but one had on any of these days: values of a broken column are not records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check, Status
from components._core.monitoring.counts import Counts
from components._core.monitoring.feature_bins import CountVector
from components._core.monitoring.reference import Column, MonitoringReference
from components._core.monitoring.tail_probabilities import (
    binomial_tail,
    binomial_upper_bound,
    gamma_tail,
)
from components.monitor.calibration import FEWEST_BLOCKS
from components.monitor.monitor_check import MINOR_IMPORTANCE, MonitorCheck, MovedCell

_FLOOR = 0.005
_SMALLEST_SHARE = 1e-4
_CHANCE = 0.99
FEWEST_DAYS_WITHOUT_ONE = 3
"""Days of a window from which it must alarm also without its most unusual day."""
_UPPER = 1.645
_GROSS = 0.3
"""Share of the rows from which numbers out of range may be no record any more, where training has few days."""
_NOVEL = ("range", "unseen")
"""Invariants that no row of training can break: usual is what each block has that no other has."""
_DESCRIPTIONS = {
    "missing": "is missing",
    "type": "has a wrong type",
    "range": "is out of the range of training",
    "unseen": "is a value never seen in training",
}
_Floats = NDArray[np.float64]


def judge_invariants(
    reference: MonitoringReference, days: Sequence[Counts], alpha: float, min_rows: int
) -> list[MonitorCheck]:
    """Judge the invariants of all features.

    In a window of three days or more what training has in bursts, too, must be unusual without any one of them; and so must numbers out of
    range: a record is set on one day, and a broken sensor stays broken.

    Args:
        reference: The version's.
        days: Counts of the window by day.
        alpha: Probability of a false alarm, over all of them together.
        min_rows: Fewest rows that are judged.
    """
    wanted = [
        (name, column, broken, cells)
        for name, column in reference.features.items()
        for broken, cells in column.bins.invariants.items()
    ]
    level = alpha / max(len(wanted), 1)  # of C. Bonferroni, 1936: what breaks in earnest is far below it
    records = _records_of_few_days(reference)
    found = []
    for name, column, broken, cells in wanted:
        label, importance = f"{broken}: {name}", reference.importances.get(name)
        counted = [day.cells[name] for day in days if name in day.cells]
        if sum(int(cells_of_day.sum()) for cells_of_day in counted) < min_rows:
            check = Check(label, "no_baseline", reason=f"{name}: fewer than {min_rows} rows")
            found.append(MonitorCheck(check, "invariant", name, importance))
        else:
            found.append(_judge_one(label, name, column, counted, broken, cells, importance, level, records))
    return found


@dataclass(frozen=True)
class _Records:
    """How much of a day of training is out of the range of its other days, over all numbers.

    Attributes:
        mean: Mean share of the rows.
        variance: Variance, between days and features.
        largest: Largest share of a day, without the number that has the largest of all: one that counts (a day of the month, an index) is
            out of the range of the other days by itself.
    """

    mean: float
    variance: float
    largest: float

    def are_exceeded_by(self, share: float) -> bool:
        """Return whether a share is far above what is usual of any number: such are broken, however few days there were."""
        return share > max(_GROSS, 2 * self.largest)

    def tail(self, shares: _Floats, share: float, window: int) -> float:
        """Return the probability of a share in a window of so many days, of a feature that has these shares on the days of training.

        By a gamma distribution with the moments of the feature, moderated by those of all numbers as far as its days are fewer than
        `FEWEST_BLOCKS` (G. Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004).
        """
        days = len(shares)
        own = float(np.var(shares, ddof=1)) if days > 1 else self.variance
        mean = (days * float(shares.mean()) + FEWEST_BLOCKS * self.mean) / (days + FEWEST_BLOCKS)
        of_day = (days * own + FEWEST_BLOCKS * self.variance) / (days + FEWEST_BLOCKS)
        variance = of_day * (1 / window + 1 / (days + FEWEST_BLOCKS))
        return gamma_tail(share, mean, variance) if mean > 0 and variance > 0 else 0.0


def _records_of_few_days(reference: MonitoringReference) -> _Records | None:
    """Return how usual records are, where training has fewer days than would say it of each feature; else None."""
    shares = [
        column.novel / np.maximum(column.blocks.sum(axis=1), 1)
        for column in reference.features.values()
        if "range" in column.bins.invariants and len(column.novel)
    ]
    if not shares or len(shares[0]) >= FEWEST_BLOCKS:
        return None
    pooled = np.concatenate(shares)
    largest = sorted(float(days.max()) for days in shares)
    return _Records(float(pooled.mean()), float(np.var(pooled)), largest[-2] if len(largest) > 1 else largest[-1])


def _judge_one(
    label: str,
    name: str,
    column: Column,
    days: Sequence[CountVector],
    broken: str,
    cells: tuple[int, ...],
    importance: float | None,
    level: float,
    records: _Records | None,
) -> MonitorCheck:
    now: CountVector = np.sum(days, axis=0)
    sizes = column.blocks.sum(axis=1)
    usual = column.blocks[:, list(cells)].sum(axis=1)
    if broken in _NOVEL and len(column.novel):
        usual = column.novel
    rows, share, most, p, in_bursts = _measure(now, cells, usual, sizes)
    alarms = share > most + _FLOOR and p < level
    if alarms and (in_bursts or broken == "range") and len(days) >= FEWEST_DAYS_WITHOUT_ONE:
        worst = max(days, key=lambda day: int(day[list(cells)].sum()))
        _, rest, most_of_rest, p_of_rest, _ = _measure(now - worst, cells, usual, sizes)
        alarms = rest > most_of_rest + _FLOOR and p_of_rest < level
    is_record = broken == "range" and not (records is not None and records.are_exceeded_by(share))
    is_uncertain = is_record and len(column.blocks) < FEWEST_BLOCKS
    if alarms and records is not None and is_record:
        p = max(p, records.tail(usual / np.maximum(sizes, 1), share, len(days)))
        alarms = p < level
    is_minor = importance is not None and importance < MINOR_IMPORTANCE
    status: Status = "pass" if not alarms else "warn" if is_minor or is_uncertain else "fail"
    labels, trained = column.bins.labels(), column.total
    place = max(cells, key=lambda cell: int(now[cell]))
    cell = MovedCell(place, labels[place], float(trained[place] / max(trained.sum(), 1)), float(now[place] / rows))
    reason = f"{name} {_DESCRIPTIONS[broken]} in {share:.1%} of the rows, at most {most:.1%} in training"
    check = Check(label, status, share, most + _FLOOR, most, rows, reason if alarms else "")
    is_calibrated = False if is_uncertain else None
    return MonitorCheck(check, "invariant", name, importance, p, is_calibrated, cell if alarms else None)


def _measure(
    now: CountVector, cells: tuple[int, ...], usual: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[int, float, float, float, bool]:
    """Return the rows, the share, the largest usual share, the p-value, and whether training has it in bursts."""
    rows, seen = int(now.sum()), int(now[list(cells)].sum())
    share = seen / max(rows, 1)
    most, tail = usual_maximum(usual, sizes, rows), stretch_tail(usual, sizes, rows, share)
    return rows, share, most, max(binomial_tail(seen, rows, most + _SMALLEST_SHARE), tail), tail > 0


def usual_maximum(counts: NDArray[np.int64], sizes: NDArray[np.int64], rows: int) -> float:
    """Return the largest share that the reference had in a stretch of about as many rows as the window has.

    At least the upper bound of its share over all rows: a share that is never 0 may be so by chance.

    Args:
        counts: Rows with the property by block, shape [blocks].
        sizes: Rows by block, shape [blocks].
        rows: Rows of the window.
    """
    shares, _ = _stretches(counts, sizes, rows)
    if not len(shares):
        return 0.0
    return max(float(shares.max()), binomial_upper_bound(int(counts.sum()), int(sizes.sum()), _CHANCE))


def stretch_tail(counts: NDArray[np.int64], sizes: NDArray[np.int64], rows: int, share: float) -> float:
    """Return the probability of a share, or a larger one, in a stretch of the reference, where these differ more than chance makes them.

    By a gamma distribution with the mean of the stretches' shares and the upper bound (95 %) of their variance: rows are lost in bursts, and
    among many features one has its largest burst outside of the reference. Of two or three stretches that bound is so large that nearly
    all of the distribution would lie at 0, so it is the larger tail of the two variances. 0 where chance explains the differences.

    Args:
        counts: Rows with the property by block, shape [blocks].
        sizes: Rows by block, shape [blocks].
        rows: Rows of the window.
        share: The share.
    """
    shares, totals = _stretches(counts, sizes, rows)
    if len(shares) < 2:
        return 0.0
    mean = float(counts.sum() / sizes.sum())
    variance = float(np.var(shares, ddof=1) - np.mean(mean * (1 - mean) / totals))
    if variance <= 0 or mean <= 0:
        return 0.0
    largest = variance * _variance_bound(float(sizes.sum() / totals.mean()))
    return max(gamma_tail(share, mean, each) for each in (variance, largest))


def _variance_bound(samples: float) -> float:
    """Return how many times a variance that was measured on samples may be too small, at 95 % (E. Wilson and M. Hilferty, PNAS 17, 1931)."""
    part = 2 / (9 * max(samples - 1, 1.0))
    return float((1 - part - _UPPER * np.sqrt(part)) ** -3)


def _stretches(counts: NDArray[np.int64], sizes: NDArray[np.int64], rows: int) -> tuple[_Floats, _Floats]:
    """Return the share, and the rows, of each stretch of about as many rows as the window has."""
    counts, sizes = counts[sizes > 0], sizes[sizes > 0]
    if not len(sizes):
        return np.zeros(0), np.zeros(0)
    length = int(np.clip(round(rows / sizes.mean()), 1, max(len(sizes) // 4, 1)))
    sums, totals = (np.convolve(vector, np.ones(length), "valid") for vector in (counts, sizes))
    return sums / totals, totals
