"""Counts the rows of objects of the request log, by version, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.monitoring.counts import Counts, count_latency
from components._core.monitoring.feature_bins import Bins, NumberBins, count
from components._core.monitoring.reference import MonitoringReference
from components._core.monitoring.score_column import largest_scores
from components._core.request_log.answered_lines import BATCH
from components._core.request_log.columns import INPUTS, OUTPUTS
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import LogObject
from components._core.request_log.reader import read_object
from components._core.request_log.value_hashes import ValueHasher
from components._core.types.signature import Feature, Signature
from components.monitor.answered_by import batch_of, version_of
from components.monitor.hashed_values import HashedValues

References = Mapping[str, MonitoringReference]
"""By version."""


def count_objects(
    objects: Sequence[LogObject], references: References, model: str = "", hasher: ValueHasher | None = None
) -> tuple[dict[str, Counts], LogCounts]:
    """Count objects of the log, by who answered: see `answered_by.py`.

    Args:
        objects: The objects.
        references: Of the versions that have one; of others only requests, rows and latency are counted.
        model: Name of the model; rows of others, which share the log, are counted as foreign. Empty: all are counted.
        hasher: With the key of the log's hashes; None: hashed features are counted as masked.

    Returns:
        Counts by who answered, and what was found in the objects besides rows.

    Raises:
        ConfigError: Without permission or credentials to read the log.
        UnavailableError: When the store does not answer.
    """
    found: dict[str, Counts] = {}
    log = LogCounts(model)
    hashed = HashedValues(hasher, references)
    for each in objects:
        for name, rows in read_versions(each, references, log, hashed):
            found.setdefault(name, Counts()).add(count_batch(rows, references.get(version_of(name))))
    for version, dropped in log.dropped.items():
        found.setdefault(version, Counts()).dropped += dropped
    for (version, code), refused in log.refused.items():
        errors = found.setdefault(version, Counts()).errors
        errors[code] = errors.get(code, 0) + refused
    return found, log


def read_versions(
    found: LogObject, references: References, log: LogCounts, hashed: HashedValues
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows of an object as batches, each with who answered them, of `log.model` alone; errors as in `count_objects`."""
    for logged in read_object(found, log, _signature_of(references), hashed=hashed.features):
        batch = hashed.find(logged)
        if log.model:
            own = batch.filter(pc.equal(batch["model"], log.model))
            log.foreign += batch.num_rows - own.num_rows
            batch = own if own.num_rows < batch.num_rows else batch
        names = batch["version"]
        if batch["source"].null_count < batch.num_rows:
            is_batch = pc.fill_null(pc.equal(batch["source"], BATCH), False)
            names = pc.if_else(is_batch, pc.binary_join_element_wise(names, batch_of(""), ""), names)
        for name in pc.unique(names).to_pylist():
            is_own = pc.equal(names, name)
            yield name, batch if pc.all(is_own).as_py() else batch.filter(is_own)


def count_batch(rows: pa.RecordBatch, reference: MonitoringReference | None) -> Counts:
    """Count the rows of one version.

    Args:
        rows: Rows as the log's reader gives them.
        reference: The version's; None: it has none.
    """
    first = rows.filter(pc.equal(rows["row"], 0))
    latency = np.asarray(first["latency_ms"].fill_null(np.nan), dtype=np.float64)
    shares = np.asarray(first["share"].fill_null(1.0), dtype=np.float64)
    counts = Counts(rows=rows.num_rows, requests=first.num_rows, latency=count_latency(latency))
    counts.represented = float((1 / shares).sum())
    for name, column in (reference.features if reference else {}).items():
        is_masked = _is_masked(rows["masked"], name)
        if is_masked.any():
            counts.masked[name] = int(is_masked.sum())
        values = input_values(rows, name, column.bins)
        counts.cells[name] = count(column.bins, values.filter(pa.array(~is_masked)) if is_masked.any() else values)
    for name, column in (reference.outputs if reference else {}).items():
        counts.outputs[name] = count(column.bins, output_values(rows, name))
    return counts


def input_values(rows: pa.RecordBatch, name: str, bins: Bins) -> pa.Array:
    """Return the values of a feature; missing where the requests have no such feature."""
    place = rows.schema.get_field_index(INPUTS + name)
    if place < 0:
        return pa.nulls(rows.num_rows, pa.float64() if isinstance(bins, NumberBins) else pa.string())
    return rows.column(place)


def output_values(rows: pa.RecordBatch, name: str) -> pa.Array:
    """Return one value of an output per row: of one number per class the largest."""
    place = rows.schema.get_field_index(OUTPUTS + name)
    if place < 0:
        return pa.nulls(rows.num_rows)
    values = rows.column(place)
    if not pa.types.is_list(values.type):
        return values
    lengths = pc.list_value_length(values).fill_null(0)
    flat = values.flatten()
    width = len(flat) // max(len(values), 1)
    if width and pc.all(pc.equal(lengths, width)).as_py():
        numbers = np.asarray(flat.cast(pa.float64()).fill_null(np.nan), dtype=np.float64)
        return pa.array(largest_scores(numbers.reshape(-1, width)))
    return pa.array([max(row) if row and None not in row else None for row in values.to_pylist()], pa.float64())


def _is_masked(masked: pa.Array, name: str) -> NDArray[np.bool_]:
    """Return in which rows the server masked a feature."""
    if not len(masked.flatten()):
        return np.zeros(len(masked), dtype=bool)
    has = np.asarray(pc.equal(masked.flatten(), name), dtype=np.int64)
    parents = np.asarray(pc.list_parent_indices(masked), dtype=np.int64)
    return np.bincount(parents, has, minlength=len(masked)) > 0


def _signature_of(references: References) -> Signature | None:
    """Return the types of all versions' features and outputs; None when two versions disagree, so that they are inferred."""
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for reference in references.values():
        for found, columns in ((inputs, reference.features), (outputs, reference.outputs)):
            for name, column in columns.items():
                dtype = column.bins.dtype if isinstance(column.bins, NumberBins) else "string"
                if found.setdefault(name, dtype) != dtype:
                    return None
    if not inputs:
        return None
    return Signature("", tuple(Feature(name, dtype, True) for name, dtype in inputs.items()), outputs, ())
