"""Comparisons for drift: the new rows against earlier spans of the same examples and the champion's training rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from components._core.checks import Check, Status
from components._core.errors import ModelError, UnavailableError
from components._core.examples.artifact import split_file
from components._core.examples.safe_parquet import pq
from components._core.project.gate_config import DataGates
from components._core.store.file_digests import check_content
from components._core.store.filesystems import open_filesystem
from components._core.store.ledger import Deployment
from components._core.types.artifact_files import STATISTICS
from components.validate.drift import Shift, measure_shifts
from components.validate.statistics import Statistics, parse
from components.validate.texts import vocabulary
from components.validate.texts.vocabulary import Vocabulary

MOST_CHECKS = 20
"""Maximum number of drifted features with a check of their own."""
_SPANS_TO_SEE_ORDER = 3


@dataclass(frozen=True)
class Comparison:
    """Newer rows against older ones.

    Attributes:
        name: Name of the older rows, as in `the earlier spans`.
        before: Statistics of the older rows; None when there are none to compare with.
        after: Statistics of the newer rows.
        reason: Why there are no older rows, and what to do.
        shifts: How each feature moved; empty when it was not measured.
    """

    name: str
    before: Statistics | None
    after: Statistics
    reason: str = ""
    shifts: tuple[Shift, ...] = ()

    @property
    def fewest_rows(self) -> int:
        """Number of rows of the smaller side."""
        return int(min(self.before.num_examples, self.after.num_examples)) if self.before is not None else 0


def compare(name: str, before: Statistics | None, after: Statistics, min_rows: int, reason: str = "") -> Comparison:
    """Measure how features moved, unless there are no or too few rows to compare."""
    comparison = Comparison(name, before, after, reason)
    if before is None or comparison.fewest_rows < min_rows:
        return comparison
    return Comparison(name, before, after, reason, tuple(measure_shifts(before, after)))


def fetch_statistics(deployment: Deployment) -> tuple[Statistics | None, str]:
    """Fetch the statistics of the rows that a champion was trained on, or return None and the reason.

    A champion whose statistics are missing or unreadable must not stop its successor: it is reported as no baseline.

    Raises:
        UnavailableError: When the store does not answer.
    """
    uri = f"{deployment.statistics.rstrip('/')}/{STATISTICS}"
    try:
        return parse(_verified(uri, deployment)), ""
    except FileNotFoundError:
        return None, f"the statistics of champion {deployment.version} are missing from {deployment.statistics}"
    except ValueError as error:
        return None, f"the statistics of champion {deployment.version} cannot be read: {error}"
    except ModelError as error:
        return None, f"the statistics of champion {deployment.version} are not those registered: {error.message}"
    except (OSError, ImportError) as error:
        message = f"the champion's statistics cannot be fetched: {error}"
        raise UnavailableError(
            message, where=uri, remedy="check the store, then run again; or run with champion=none"
        ) from error


def fetch_vocabularies(deployment: Deployment) -> dict[str, Vocabulary]:
    """Fetch the vocabularies of the texts that a champion was trained on, by column; empty where it has none, or none that can be read.

    Raises:
        UnavailableError: When the store does not answer.
    """
    uri = f"{deployment.statistics.rstrip('/')}/{vocabulary.FILE}"
    try:
        return vocabulary.parse(_verified(uri, deployment))
    except (FileNotFoundError, ValueError, ModelError):
        return {}  # a champion without texts, or one whose statistics are reported as missing
    except (OSError, ImportError) as error:
        message = f"the champion's vocabulary cannot be fetched: {error}"
        raise UnavailableError(
            message, where=uri, remedy="check the store, then run again; or run with champion=none"
        ) from error


def _verified(uri: str, deployment: Deployment) -> bytes:
    files, path = open_filesystem(uri)
    content = bytes(files.cat_file(path))
    check_content(content, uri, deployment.statistics, deployment.registration_sha256)
    return content


def follow_spans(examples: Path, spans: list[int], names: list[str]) -> set[str]:
    """Find columns that differ between spans by construction, such as the month, which is not drift.

    A column follows the span when it has one value in every span and not always the same, or when (three spans at
    least) its ranges follow one another without overlap, as those of a date do. Read from the Parquet footers, not from
    the rows.
    """
    if len(spans) < 2:
        return set()
    ranges: dict[str, list[tuple[Any, Any]]] = {name: [] for name in names}
    files = [path for span in spans if (path := split_file(examples, "train", span)).exists()]
    for path in files:
        for name, bounds in _ranges(path).items():
            ranges.get(name, []).append(bounds)
    return {name for name, found in ranges.items() if len(found) == len(files) > 1 and _follows(found)}


def to_checks(comparison: Comparison, gates: DataGates, followers: set[str], label: str) -> list[Check]:
    """Make the checks of one comparison: one per drifted feature, one for all that stayed, one for those that follow the span."""
    title = f"drift against {comparison.name}"
    if comparison.before is None:
        return [Check(title, "no_baseline", threshold=gates.drift, reason=comparison.reason)]
    rows = comparison.fewest_rows
    if rows < max(1, gates.min_rows):
        message = f"{rows} rows on the smaller side, {gates.min_rows} are needed to judge drift (gates.data.min_rows)"
        return [Check(title, "skipped", threshold=gates.drift, n=rows, reason=message)]
    judged = [shift for shift in comparison.shifts if shift.feature not in followers and not math.isnan(shift.distance)]
    drifted = sorted((shift for shift in judged if shift.distance > gates.drift), key=lambda shift: -shift.distance)
    checks = [_drifted(comparison, shift, gates, rows, label) for shift in drifted[:MOST_CHECKS]]
    if len(drifted) > MOST_CHECKS:
        message = f"{len(drifted) - MOST_CHECKS} more features drifted; the table lists them"
        checks.append(Check(f"{title}: others", _status(gates), len(drifted) - MOST_CHECKS, reason=message))
    return (
        checks
        + _stayed(title, [shift for shift in judged if shift not in drifted], gates, rows)
        + _followers(title, comparison, followers)
    )


def moved_in_words(shift: Shift) -> str:
    """Describe the values or ranges that moved most, with their shares before and after."""
    return "; ".join(f"{value}: {before:.1%} -> {after:.1%}" for value, before, after in shift.moved)


def _drifted(comparison: Comparison, shift: Shift, gates: DataGates, rows: int, label: str) -> Check:
    subject = f"the label {shift.feature}" if shift.feature == label else shift.feature
    message = (
        f"{subject} moved from {comparison.name}: {shift.measure} {shift.distance:.3f}, limit {gates.drift:g}; "
        f"{shift.before} then, {shift.after} now; {moved_in_words(shift)}"
    )
    name = f"drift against {comparison.name}: {shift.feature}"
    return Check(name, _status(gates), round(shift.distance, 6), gates.drift, n=rows, reason=message)


def _stayed(title: str, shifts: list[Shift], gates: DataGates, rows: int) -> list[Check]:
    if not shifts:
        return []
    furthest = max(shifts, key=lambda shift: shift.distance)
    message = f"{len(shifts)} columns stayed within {gates.drift:g}; furthest moved {furthest.feature} ({furthest.distance:.3f})"
    return [Check(title, "pass", round(furthest.distance, 6), gates.drift, n=rows, reason=message)]


def _followers(title: str, comparison: Comparison, followers: set[str]) -> list[Check]:
    following = [shift.feature for shift in comparison.shifts if shift.feature in followers]
    retyped = [shift.feature for shift in comparison.shifts if math.isnan(shift.distance)]
    checks = []
    if following:
        message = f"{', '.join(following)} follows the span: it differs between spans by construction and is not drift"
        checks.append(Check(f"{title}: follows the span", "skipped", n=len(following), reason=message))
    if retyped:
        message = f"{', '.join(retyped)}: numbers on one side and text on the other cannot be compared"
        checks.append(Check(f"{title}: other type", "skipped", n=len(retyped), reason=message))
    return checks


def _status(gates: DataGates) -> Status:
    return "skipped" if gates.drift_severity == "ignore" else gates.drift_severity


def _ranges(path: Path) -> dict[str, tuple[Any, Any]]:
    """Return smallest and largest value by column of one file; columns without values or statistics are left out."""
    metadata = pq.read_metadata(path)
    ranges: dict[str, tuple[Any, Any]] = {}
    unknown: set[str] = set()
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.statistics is None or not column.statistics.has_min_max:
                unknown.add(column.path_in_schema)
                continue
            # as they are stored, which are in the order of the values: a time need not be one that Python has
            low, high = column.statistics.min_raw, column.statistics.max_raw
            known = ranges.get(column.path_in_schema, (low, high))
            ranges[column.path_in_schema] = min(low, known[0]), max(high, known[1])
    return {name: bounds for name, bounds in ranges.items() if name not in unknown}


def _follows(ranges: list[tuple[Any, Any]]) -> bool:
    if all(low == high for low, high in ranges):
        return len(set(ranges)) > 1
    in_order = all(one[1] < two[0] for one, two in pairwise(ranges))
    return in_order and len(ranges) >= _SPANS_TO_SEE_ORDER
