"""Where rows for annotators are selected from: a table without labels, or the answers in the request log."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.project.durations import to_timedelta
from components._core.request_log.columns import INPUTS, OUTPUTS
from components._core.request_log.counts import LogCounts
from components._core.request_log.hours import list_closed_hours, list_objects
from components._core.request_log.location import log_uri
from components._core.request_log.reader import read_object
from components._core.store.ledger import current_champion
from components._core.store.object_store import read_bytes
from components._core.types.artifact_files import SIGNATURE
from components._core.types.column_types import type_of_arrow
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._labels.label_schema import ITEM
from components._labels.label_store import REQUEST, ROW
from components._labels.selection import Numbers, measure_uncertainty
from components._labels.work_rows import RowCounts, check_columns, read_unlabelled
from pipelines.labelling.champion_scores import ChampionScores
from pipelines.labelling.opened import Opened
from pipelines.labelling.work_lists import describe_rows

LOGGED = "naru_logged"
"""Column of the probability with which an answer was logged."""
_SCORE = "naru_score"
_MOST_LOGGED = 2_000_000
"""Answers of the log that are looked through, the newest hours first."""


class Pool(ABC):
    """Rows to select from; it can be read several times."""

    @property
    @abstractmethod
    def source(self) -> str:
        """What it is, for the record of the work list."""

    @abstractmethod
    def batches(self) -> Iterator[pa.Table]:
        """Yield the rows, with `naru_item`, `naru_request` and `naru_row`."""

    @abstractmethod
    def uncertainty(self, rows: pa.Table) -> Numbers:
        """Return how uncertain the model is of rows that `batches` gave; NaN where it is not known."""

    @abstractmethod
    def describe(self) -> list[str]:
        """Describe what was read, a line each."""

    def values(self, rows: pa.Table, feature: str) -> pa.Array | None:
        """Return the values of a feature; None where the rows do not have it."""
        if feature not in rows.column_names:
            return None
        column = rows[feature].combine_chunks()
        array = column.chunk(0) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column
        return type_of_arrow(array.type, feature).to_plain(array) if isinstance(array, pa.Array) else None


@dataclass
class TablePool(Pool):
    """The rows of a table that have no label.

    Attributes:
        project: The opened project.
        table: The table; empty: the project's.
        scores: The champion.
        counts: What was read the last time.
    """

    project: Opened
    table: str
    scores: ChampionScores
    counts: RowCounts = field(default_factory=RowCounts)

    @property
    def source(self) -> str:
        """See `Pool`."""
        return self.table or "table"

    def batches(self) -> Iterator[pa.Table]:
        """See `Pool`."""
        self.counts = RowCounts()
        yield from read_unlabelled(self.project.table(self.table), self.project.schema, self.counts)

    def uncertainty(self, rows: pa.Table) -> Numbers:
        """See `Pool`."""
        return self.scores.judge(rows)

    def describe(self) -> list[str]:
        """See `Pool`."""
        lines = describe_rows(self.counts, 0)
        if self.scores.version:
            lines.append(f"uncertainty by the {self.scores.measure} of version {self.scores.version}")
        if self.scores.refused:
            lines.append(
                f"{self.scores.refused:,} rows are not taken by the model ({self.scores.reason}): only drawn at random"
            )
        return lines


@dataclass
class LogPool(Pool):
    """The answers of a time in the request log; their uncertainty is that of what was answered then.

    Attributes:
        project: The opened project.
        window: How far back, as in `7d`.
        measure: `margin` or `entropy`.
        now: The present.
    """

    project: Opened
    window: str
    measure: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    counts: LogCounts = field(default_factory=LogCounts)
    rows: int = 0
    is_cut: bool = False

    @property
    def source(self) -> str:
        """See `Pool`."""
        return f"request log, {self.window}"

    def batches(self) -> Iterator[pa.Table]:
        """See `Pool`."""
        project = self.project.project
        self.counts, self.rows, self.is_cut = LogCounts(project.name), 0, False
        uri = log_uri(project.serve.request_log, self.project.root, project.name)
        seen = set[str]()
        signature = _read_signature(self.project.root, project.name)
        since = self.now - to_timedelta(self.window) if self.window != "all" else self.now - timedelta(days=3_660)
        for hour in reversed(list_closed_hours(uri, self.now, since=since)):
            for found in list_objects(uri, hour):
                for batch in read_object(found, self.counts, signature):
                    own = batch.filter(pc.fill_null(pc.equal(batch["model"], project.name), False))
                    rows = self._to_rows(pa.Table.from_batches([own]), seen)
                    self.rows += rows.num_rows
                    yield rows
            if self.rows >= _MOST_LOGGED:
                self.is_cut = True
                return

    def _to_rows(self, batch: pa.Table, seen: set[str]) -> pa.Table:
        ids = [
            f"{request}#{row}" for request, row in zip(batch["id"].to_pylist(), batch["row"].to_pylist(), strict=True)
        ]
        kept = []
        for item in ids:
            kept.append(item not in seen)
            seen.add(item)
        features = {name.removeprefix(INPUTS): batch[name] for name in batch.column_names if name.startswith(INPUTS)}
        check_columns(self.project.schema, list(features))
        score = f"{OUTPUTS}{TASKS[self.project.project.task].score}"
        rows = {
            ITEM: pa.array(ids, pa.string()),
            REQUEST: batch["id"],
            ROW: batch["row"],
            **features,
            LOGGED: pc.fill_null(batch["share"], 1.0),
            _SCORE: batch[score] if score in batch.column_names else pa.nulls(len(ids)),
        }
        return pa.table(rows).filter(pa.array(kept, pa.bool_()))

    def uncertainty(self, rows: pa.Table) -> Numbers:
        """See `Pool`."""
        if not TASKS[self.project.project.task].has_classes or not rows.num_rows:
            return np.full(rows.num_rows, np.nan)
        scores = rows[_SCORE].combine_chunks()
        if isinstance(scores, pa.ChunkedArray):
            scores = scores.chunk(0)
        return _uncertainty(scores, self.measure)

    def describe(self) -> list[str]:
        """See `Pool`."""
        more = ", the newest ones" if self.is_cut else ""
        lines = [f"{self.rows:,} answered rows in the closed hours of the request log ({self.window}){more}"]
        if damaged := self.counts.damaged:
            lines.append(f"{damaged:,} lines of the log are damaged")
        return [*lines, f"uncertainty by the {self.measure} of what was answered"]


def _uncertainty(scores: pa.Array, measure: str) -> Numbers:
    """Return the uncertainty of logged scores: a number of each row, or one for each class."""
    found = np.full(len(scores), np.nan)
    if pa.types.is_null(scores.type):
        return found
    width = 1
    if pa.types.is_list(scores.type):
        lengths = np.asarray(pc.fill_null(pc.list_value_length(scores), 0))
        width = int(lengths.max(initial=0))
        known = lengths == width
    else:
        known = np.asarray(scores.is_valid())
    if not width or not known.any():
        return found
    kept = scores.filter(pa.array(known))
    flat = kept.flatten() if pa.types.is_list(scores.type) else kept
    numbers = np.asarray(flat.cast(pa.float64()).fill_null(np.nan)).reshape(-1, width)
    measured = measure_uncertainty(numbers if pa.types.is_list(scores.type) else numbers[:, 0], measure)
    found[known] = measured
    return found


def _read_signature(store: str, project: str) -> Signature | None:
    """Read the champion's signature, which has the types of the logged features; None where there is none."""
    champion = current_champion(store, project)
    content = read_bytes(f"{champion.model.rstrip('/')}/{SIGNATURE}") if champion else None
    try:
        return Signature.from_json(json.loads(content)) if content else None
    except (ValueError, LookupError, TypeError):
        return None
