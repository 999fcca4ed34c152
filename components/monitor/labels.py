"""Reads what the joins of labels kept of the answers, by version, and what the answers of each version are measured with."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ServiceError
from components._core.project.durations import to_timedelta
from components._core.project.project_file import Project
from components._core.store.ledger import Deployment, read_deployments
from components._core.store.model_files import read_model_file
from components._core.types.artifact_files import REFERENCE, SIGNATURE
from components._core.types.metrics.row_sums import Array
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._feedback.scored_rows import read_scored
from components._feedback.span_store import SpanStore
from components.monitor.served_metric import LabelledRows, Maturity, Yardstick

_NO_ROWS = np.empty(0, np.int64)


def read_maturity(project: Project, spans: SpanStore) -> Maturity | None:
    """Read when a window of the project is final; None when the project expects no labels.

    Raises:
        ServiceError: When the newest span's manifest is damaged.
        UnavailableError: When the store does not answer.
    """
    if project.feedback is None:
        return None
    last = spans.last()
    read_at = datetime.fromisoformat(last["at"]) if last else None
    return Maturity(project.feedback.min_coverage, to_timedelta(project.feedback.wait), read_at)


def read_yardsticks(project: Project, store: str, versions: Collection[str]) -> dict[str, Yardstick]:
    """Read what the answers of each of some versions are measured with; one that was never deployed has none.

    Raises:
        ModelError: When a version's files are not the registered ones.
        ServiceError: When the ledger or a signature is damaged.
        UnavailableError: When the store does not answer.
    """
    lines = {line.version: line for line in read_deployments(store, project.name)}
    found = {version: _read_yardstick(project, line) for version, line in lines.items() if version in versions}
    return {version: yardstick for version, yardstick in found.items() if yardstick is not None}


def _read_yardstick(project: Project, line: Deployment) -> Yardstick | None:
    """Return the yardstick of a version; None without a signature, as a version of another task has none here."""
    content = read_model_file(line, SIGNATURE)
    if content is None:
        return None
    try:
        signature = Signature.from_json(json.loads(content))
        threshold = json.loads(read_model_file(line, REFERENCE) or b"{}").get("threshold")
    except (ValueError, LookupError, TypeError, AttributeError):
        remedy = "restore it, or train and deploy again"
        raise ServiceError("the signature of a version is damaged", where=line.model, remedy=remedy) from None
    if signature.task != project.task:
        return None
    metric = project.primary_metric()
    task = TASKS[signature.task].with_threshold(None if threshold is None else float(threshold))
    offline = line.metrics.get(metric.name)
    return Yardstick(task, tuple(signature.classes), metric, None if offline is None else float(offline))


def read_labelled(
    spans: SpanStore, since: datetime, yardsticks: dict[str, Yardstick], versions: Collection[str]
) -> dict[str, LabelledRows]:
    """Read the labelled rows that were answered at or after a time, by version.

    Raises:
        ServiceError: When a file is missing or damaged.
        UnavailableError: When the store does not answer.
    """
    wanted = [version for version in versions if version in yardsticks]
    parts: dict[str, list[LabelledRows]] = {version: [] for version in wanted}
    for table in read_scored(spans, since):
        for version in wanted:
            rows = table.filter(pc.equal(table["version"], version))
            if rows.num_rows:
                parts[version].append(_to_rows(rows, yardsticks[version]))
    return {version: _joined(found) for version, found in parts.items() if found}


def _to_rows(rows: pa.Table, yardstick: Yardstick) -> LabelledRows:
    times, is_closed = np.asarray(rows["time"].to_numpy(), np.int64), np.asarray(rows["label"].is_null())
    task = yardstick.task
    name = "scores" if task.scores_by_class else "score"
    has_score = np.asarray(rows[name].is_valid()) if name in rows.schema.names else np.zeros(rows.num_rows, np.bool_)
    if task.scores_by_class and has_score.any():
        lengths = pc.fill_null(pc.list_value_length(rows[name]), 0)
        has_score &= np.asarray(lengths) == len(yardstick.classes)
    usable = rows.filter(pa.array(has_score & ~is_closed))
    labels = task.label_values(usable["label"], yardstick.classes)
    scores = _scores(usable, name, len(yardstick.classes)) if usable.num_rows else _no_scores(yardstick)
    known = task.is_known(labels)
    own = np.asarray(usable["time"].to_numpy(), np.int64)
    return LabelledRows(own[known], labels[known], scores[known], times[is_closed])


def _scores(rows: pa.Table, name: str, classes: int) -> Array:
    column = rows[name].combine_chunks()
    if not pa.types.is_list(column.type):
        return np.asarray(column, np.float64)
    return np.asarray(column.flatten(), np.float64).reshape(-1, classes)


def _no_scores(yardstick: Yardstick) -> Array:
    return np.empty(yardstick.task.score_shape(0, yardstick.classes), np.float64)


def _joined(parts: Iterable[LabelledRows]) -> LabelledRows:
    names: dict[str, list[Any]] = {name: [] for name in ("times", "labels", "scores", "closed")}
    for part in parts:
        for name, values in names.items():
            values.append(getattr(part, name))
    return LabelledRows(**{name: np.concatenate(values) for name, values in names.items()})


def no_labels(yardstick: Yardstick) -> LabelledRows:
    """Return the rows of a version of which no answer has a label yet."""
    return LabelledRows(_NO_ROWS, _NO_ROWS, _no_scores(yardstick), _NO_ROWS)
