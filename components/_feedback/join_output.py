"""What a join of labels with the log writes before anything is uploaded: rows, state and quarantine, a Parquet file each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from components._core.examples.safe_parquet import pq
from components._feedback.answers import features_of
from components._feedback.bucket_join import BucketResult
from components._feedback.columns import answers_schema, done_schema, labels_schema, numbers
from components._feedback.scored_rows import SCORED, ScoredRows
from components._feedback.settings import FeedbackSettings
from components._feedback.span_rows import SpanRows

QUARANTINE = ("conflicting_id", "unknown_id", "closed_id")
"""Files of rows and labels that were set aside."""
_EXAMPLES = 3


class JoinOutput:
    """The files that a join writes, on this machine; filled inside of a `with` block.

    Args:
        settings: What the rows look like.
        folder: The files' folder, which is made.
        number: Number of the span.
        unfit: Features whose values do not fit the types of the training table.
        carried: Features that the labels carry, with their types in the log.

    Attributes:
        paths: The file of each name.
        rows: Rows written by name.
        lost_ids: Some ids of labels without an answer.
        posted_ids: Some ids of posted labels without an answer.
        log_ids: Some ids of answers.
        scored: Scores and labels of the joined rows.
        span: The rows of the span.
    """

    def __init__(
        self, settings: FeedbackSettings, folder: Path, number: int, unfit: set[str], carried: Mapping[str, pa.DataType]
    ) -> None:
        folder.mkdir(parents=True)
        self.paths = {
            name: folder / f"{name}.parquet" for name in ("rows", SCORED, "open", "done", "pending", *QUARANTINE)
        }
        self.rows: Counter[str] = Counter()
        self.lost_ids: list[str] = []
        self.posted_ids: list[str] = []
        self.log_ids: list[str] = []
        answers = answers_schema(features_of(settings), by_class=settings.by_class)
        labels, done = labels_schema(settings.label_type, carried), done_schema(settings.label_type)
        schemas = {
            "open": answers,
            "done": done,
            "pending": labels,
            "conflicting_id": answers,
            "unknown_id": labels,
            "closed_id": labels,
        }
        self._done_schema, self._labels_schema = done, labels
        self._number = number
        self._corrected: list[pa.Table] = []
        self._writers = {name: pq.ParquetWriter(self.paths[name], schema) for name, schema in schemas.items()}
        self.scored = ScoredRows(self.paths[SCORED], settings.label_type, by_class=settings.by_class)
        self.span = SpanRows(settings, self.paths["rows"], self.scored, number, unfit)

    def __enter__(self) -> JoinOutput:
        """Begin to write."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        for writer in (*self._writers.values(), self.scored, self.span):
            writer.close()

    def add(self, result: BucketResult) -> None:
        """Write what became of a bucket."""
        opened = result.open.set_column(
            result.open.schema.get_field_index("rank"),
            result.open.schema.field("rank"),
            pa.array(np.full(result.open.num_rows, -1, np.int32)),
        )
        self._write("open", opened)
        self._write("pending", result.pending)
        self._write("conflicting_id", result.conflicting)
        self._write("unknown_id", result.unknown)
        self._write("unknown_id", result.posted_unknown)
        self._write("closed_id", result.closed)
        for table in (result.kept, result.done, self.span.add(result.labelled, self._done_schema)):
            self._write("done", table)
        self.scored.add_closed(result.newly_closed)
        if result.corrected.num_rows:
            self._corrected.append(result.corrected)
        _extend(self.lost_ids, result.unknown if result.unknown.num_rows else result.pending)
        _extend(self.posted_ids, result.posted_unknown)
        _extend(self.log_ids, result.open if result.open.num_rows else result.labelled)

    def corrected_spans(self) -> list[int]:
        """Return the numbers of the spans with corrected rows."""
        return sorted({number for table in self._corrected for number in numbers(table, "span").tolist()})

    def add_corrections(self, number: int, rows: Path, scored: Path | None) -> None:
        """Add the corrected rows of a span, with their new labels.

        Args:
            number: Number of the span.
            rows: Its rows.
            scored: What was answered to them; None: it was not kept.
        """
        for table in self.span.add_corrections(self._corrections(number), rows, scored, number):
            self._write("done", table)

    def set_corrections_aside(self, number: int) -> int:
        """Write the corrections of a span whose rows were deleted to the quarantine; returns how many there are."""
        chosen = self._corrections(number)
        size = int(chosen.num_rows)
        values = {name: chosen[name] for name in ("id", "row", "label", "time", "object")}
        values |= {"place": pa.array(np.zeros(size, np.int64)), "seen": chosen["time"]}
        values["is_judged"] = pa.array(np.ones(size, np.bool_))
        values |= {field.name: pa.nulls(size, field.type) for field in self._labels_schema if field.name not in values}
        self._write(
            "closed_id", pa.table([values[name] for name in self._labels_schema.names], schema=self._labels_schema)
        )
        self._write("done", chosen)  # with the new label, so that the same one does not count again
        return size

    def _corrections(self, number: int) -> pa.Table:
        corrected = pa.concat_tables(self._corrected)
        return corrected.filter(pa.array(numbers(corrected, "span") == number))

    def _write(self, name: str, table: pa.Table) -> None:
        self.rows[name] += table.num_rows
        if table.num_rows:
            self._writers[name].write_table(table)


def _extend(ids: list[str], table: pa.Table) -> None:
    if len(ids) < _EXAMPLES:
        ids += table["id"].slice(0, _EXAMPLES - len(ids)).to_pylist()
