"""Finds requests that have the values which moved, so that a person can look at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from components._core.monitoring.reference import MonitoringReference
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import LogObject
from components._core.request_log.value_hashes import ValueHasher
from components.monitor.answered_by import version_of
from components.monitor.count_rows import input_values, output_values, read_versions
from components.monitor.hashed_values import HashedValues
from components.monitor.monitor_check import MonitorCheck

MOST_REQUESTS = 50
_MOST_ROWS = 200_000
"""Rows that are looked through."""


def name_requests(
    checks: list[MonitorCheck],
    objects: Iterable[LogObject],
    name: str,
    reference: MonitoringReference,
    model: str = "",
    hasher: ValueHasher | None = None,
) -> list[MonitorCheck]:
    """Return the checks, those that alarm with the ids of requests that have what moved.

    Args:
        checks: The checks.
        objects: Objects of the window, those to look through first in front.
        name: Who answered, see `answered_by.py`.
        reference: The version's reference.
        model: Name of the model; empty: any.
        hasher: With the key of the log's hashes; None: there is none.

    Raises:
        ConfigError: Without permission or credentials to read the log.
        UnavailableError: When the store does not answer.
    """
    wanted = {check.check.name: check for check in checks if check.alarms and check.cell and check.feature}
    found: dict[str, list[str]] = {name: [] for name in wanted}
    if wanted:
        _look_through(wanted, found, objects, name, reference, LogCounts(model), hasher)
    return [
        replace(check, requests=found[check.check.name]) if check.check.name in found else check for check in checks
    ]


def _look_through(
    wanted: Mapping[str, MonitorCheck],
    found: dict[str, list[str]],
    objects: Iterable[LogObject],
    answered_by: str,
    reference: MonitoringReference,
    log: LogCounts,
    hasher: ValueHasher | None,
) -> None:
    rows = 0
    references = {version_of(answered_by): reference}
    hashed = HashedValues(hasher, references)
    for each in objects:
        for who, batch in read_versions(each, references, log, hashed):
            if who != answered_by:
                continue
            rows += batch.num_rows
            for name, check in wanted.items():
                if check.cell is None or check.feature is None or len(found[name]) >= MOST_REQUESTS:
                    continue
                is_output = check.kind == "prediction"
                column = (reference.outputs if is_output else reference.features)[check.feature]
                values = (
                    output_values(batch, check.feature)
                    if is_output
                    else input_values(batch, check.feature, column.bins)
                )
                places = np.flatnonzero(column.bins.places(values) == check.cell.place)
                ids = (batch["id"][int(place)].as_py() for place in places[:MOST_REQUESTS].tolist())
                found[name] = list(dict.fromkeys([*found[name], *ids]))[:MOST_REQUESTS]
        if rows >= _MOST_ROWS or all(len(ids) >= MOST_REQUESTS for ids in found.values()):
            return
