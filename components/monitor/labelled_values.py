"""Finds labelled rows that have the values which training never saw: with enough of them a new model can learn what they mean."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.examples.safe_parquet import pq
from components._core.monitoring.feature_bins import TextBins
from components._core.monitoring.reference import MonitoringReference
from components._feedback.span_store import SpanStore
from components.monitor.monitor_check import MonitorCheck

_MOST_SPANS = 50
"""Newest spans that are read."""
UNSEEN = "unseen: "


def count_labelled(
    checks: Sequence[MonitorCheck], reference: MonitoringReference, spans: SpanStore
) -> list[MonitorCheck]:
    """Return the checks, those that alarm on values never seen in training with the labelled rows that have such.

    Args:
        checks: Checks of a version.
        reference: Its reference.
        spans: The spans of labelled rows.

    Raises:
        ServiceError: When a manifest or a file is damaged.
        UnavailableError: When the store does not answer.
    """
    wanted = [check for check in checks if check.alarms and check.check.name.startswith(UNSEEN)]
    if not wanted:
        return list(checks)
    counted = dict.fromkeys((check.feature or "" for check in wanted), 0)
    manifest, left = spans.last(), _MOST_SPANS
    while manifest is not None and left:
        _add_span(counted, reference, spans, manifest)
        manifest, left = spans.before(int(manifest["number"])), left - 1
    return [replace(check, labelled=counted[check.feature or ""]) if check in wanted else check for check in checks]


def _add_span(
    counted: dict[str, int], reference: MonitoringReference, spans: SpanStore, manifest: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory(prefix="naru-labelled-") as folder:
        path = spans.find_rows(manifest, Path(folder))
        if path is None:  # deleted since: no run could read it either
            return
        with pq.ParquetFile(path) as file:
            known = [name for name in counted if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=known) if known else ():
                for name in known:
                    bins = reference.features[name].bins
                    if isinstance(bins, TextBins):
                        counted[name] += int((bins.places(batch[name].cast(pa.string())) == bins.unseen).sum())
