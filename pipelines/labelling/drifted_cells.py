"""Values whose share has moved, by the newest result of the project's monitor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.monitoring.feature_bins import Bins
from components._core.monitoring.result_files import (
    LARGEST_RESULT,
    monitoring_folder,
    parse_result,
    result_uri,
    runs_folder,
)
from components._core.store.object_store import list_names, read_bytes
from components.monitor.versions import find_champion

_NEWEST = 20
"""Newest runs of the monitor of which the first with a result counts: others are still at work."""


@dataclass(frozen=True)
class DriftedCell:
    """A value, or a range of numbers, whose share has moved.

    Attributes:
        feature: The feature.
        name: The value or range, as the monitor shows it.
        place: Its place among the feature's cells.
        bins: The cells.
    """

    feature: str
    name: str
    place: int
    bins: Bins


def find_drifted_cells(store: str, project: str) -> list[DriftedCell]:
    """Find the cells of features that alarm in the monitor's newest result; none where it has none, or nothing alarms.

    Raises:
        DataError: When a version's reference is damaged.
        ServiceError: When the ledger is damaged.
        UnavailableError: When the store does not answer.
    """
    result = _read_newest(store, project)
    alarms = [check for check in result.get("checks") or () if _alarms(check)]
    if not alarms:
        return []
    reference = find_champion(store, project)[1].get(str(result.get("version")))
    cells = []
    for check in alarms:
        column = reference.features.get(check["feature"]) if reference else None
        labels = column.bins.labels() if column else []
        if column and check["cell"]["name"] in labels:
            name = check["cell"]["name"]
            cells.append(DriftedCell(check["feature"], name, labels.index(name), column.bins))
    return list({(cell.feature, cell.place): cell for cell in cells}.values())


def rows_in_cells(
    cells: Sequence[DriftedCell], rows: int, values_of: Callable[[str], pa.Array | None]
) -> NDArray[np.bool_]:
    """Return which rows have one of the values, shape [rows].

    Args:
        cells: The cells.
        rows: Number of rows.
        values_of: Returns the values of a feature; None: the rows do not have it.
    """
    found = np.zeros(rows, np.bool_)
    for cell in cells:
        values = values_of(cell.feature)
        if values is not None:
            found |= cell.bins.places(values) == cell.place
    return found


def _read_newest(store: str, project: str) -> dict[str, Any]:
    folder = monitoring_folder(store, project)
    for run in reversed(list_names(runs_folder(folder))[-_NEWEST:]):
        content = read_bytes(result_uri(folder, run), LARGEST_RESULT + 1)
        if content is None:
            continue
        try:
            return parse_result(content)
        except (ValueError, RecursionError):
            return {}
    return {}


def _alarms(check: Any) -> bool:
    return (
        isinstance(check, dict)
        and check.get("status") in ("warn", "fail")
        and check.get("kind") != "prediction"
        and isinstance(check.get("feature"), str)
        and isinstance(check.get("cell"), dict)
    )
