"""The answers to the rows of a part: a table with every column of the source, the model's outputs, its version and the row's id."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.errors import ConfigError
from components._core.suggestions import listed
from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.tasks import TASKS
from components._data.formats.bad_rows import BadRow
from components._data.formats.rows import Rows, row_as_text
from components._data.sources.contract import SpanFile
from components._predictor.feature_values import MAX_ROWS, Columns
from components._predictor.predictor import Predictor
from components._predictor.refusals import Refusal
from components.predict.parts import Part, slice_rows
from components.predict.row_values import to_values

REQUEST_ROWS = 1_000
"""Answered rows that share a request's id."""
UNREADABLE = "unreadable"
"""Code of a line that cannot be read as a row of the table, as with too many cells. A server has no such code: it never gets such a line."""
_VERSION, _REQUEST, _ROW, _DECISION = "model_version", "request_id", "request_row", "decision"


@dataclass(frozen=True)
class Request:
    """Some answered rows, as the request log has them.

    Attributes:
        id: Its id; with the place of a row in it the row's id.
        inputs: Values by feature.
        outputs: The model's outputs.
    """

    id: str
    inputs: Columns
    outputs: dict[str, np.ndarray[Any, Any]]


@dataclass
class PartAnswers:
    """The answers to a part.

    Attributes:
        rows: The answered rows with their answers; None: no row was answered.
        rejected: The other rows, in the order of the source.
        requests: The answered rows by request.
    """

    rows: pa.Table | None = None
    rejected: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def codes(self) -> Counter[str]:
        """Number of rejected rows by code."""
        return Counter(str(row["code"]) for row in self.rejected)

    def rejected_lines(self) -> bytes:
        """Return the rejected rows as JSON lines."""
        lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) for row in self.rejected)
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Answerer:
    """Answers parts.

    Attributes:
        predictor: The predictor.
        version: The model's version.
        rows: Identity of the table's rows and the model, for the ids of the rows.
        prefix: What stands before the names of added columns.
    """

    predictor: Predictor
    version: str
    rows: str
    prefix: str = ""

    @property
    def added(self) -> list[str]:
        """The names of the columns that are added to those of the source."""
        outputs = [*self.predictor.signature.outputs, *([_DECISION] if self.predictor.threshold is not None else [])]
        return [f"{self.prefix}{name}" for name in (*outputs, _VERSION, _REQUEST, _ROW)]

    def check_columns(self, columns: list[str]) -> None:
        """Refuse a table that has a column of the name of an added one.

        Raises:
            ConfigError: With the names.
        """
        if taken := [name for name in self.added if name in columns]:
            remedy = "give the added columns other names, as in --prefix new_"
            raise ConfigError(
                f"the source has columns that are added: {listed(taken)}", where="--prefix", remedy=remedy
            )

    def answer(self, part: Part) -> PartAnswers:
        """Answer the rows of a part.

        Raises:
            DataError: When a column cannot be what the model takes.
            ModelError: When the model fails on many rows.
        """
        answers = PartAnswers(rejected=[_unreadable(row) for row in part.unreadable])
        tables = []
        for file, rows in part.rows:
            for start in range(0, rows.examples.num_rows, MAX_ROWS):
                chunk = slice_rows(rows, start, min(start + MAX_ROWS, rows.examples.num_rows))
                tables.append(self._answer(part, file, chunk, answers))
        known = [table for table in tables if table is not None]
        answers.rows = pa.concat_tables(known) if known else None
        return answers

    def _answer(self, part: Part, file: SpanFile, rows: Rows, answers: PartAnswers) -> pa.Table | None:
        found = self.predictor.answer_rows(to_values(rows.examples, self.predictor.signature))
        values = dict(found.inputs)
        if found.refusals:
            lines = rows.lines()
            answers.rejected += [
                _rejected(file.name, int(lines[row]), part.unit, refusal, row_as_text(rows.examples, row))
                for row, refusal in sorted(found.refusals.items())
            ]
        if not found.kept.size:
            return None
        kept = rows.examples
        if found.refusals:
            kept = rows.examples.take(pa.array(found.kept))
            values = {name: _take(column, found.kept) for name, column in values.items()}
        answered = pa.table(dict(zip(kept.schema.names, kept.columns, strict=True)))
        ids, places = [], []
        for start, end in _spans(kept.num_rows):
            request = f"{self.rows}-{part.number:06d}-{len(answers.requests):06d}"
            outputs = {name: output[start:end] for name, output in found.outputs.items()}
            answers.requests.append(Request(request, {n: v[start:end] for n, v in values.items()}, outputs))
            ids.append(pa.array([request], pa.string()).take(pa.array(np.zeros(end - start, np.int32))))
            places.append(np.arange(end - start, dtype=np.int64))
        added = [
            *self._outputs(found.outputs),
            pa.array([self.version], pa.string()).take(pa.array(np.zeros(kept.num_rows, np.int32))),
            pa.concat_arrays(ids),
            pa.array(np.concatenate(places)),
        ]
        for name, column in zip(self.added, added, strict=True):
            answered = answered.append_column(name, column)
        return answered

    def _outputs(self, outputs: dict[str, np.ndarray[Any, Any]]) -> list[pa.Array]:
        signature, threshold = self.predictor.signature, self.predictor.threshold
        columns = [_to_column(outputs[name], FEATURE_TYPES[kind].arrow) for name, kind in signature.outputs.items()]
        if threshold is not None:
            task = TASKS[signature.task].with_threshold(threshold)
            classes = task.predicted_classes(outputs[task.score])
            columns.append(pa.array(signature.classes, pa.string()).take(pa.array(classes)))
        return columns


def _spans(rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, REQUEST_ROWS):
        yield start, min(start + REQUEST_ROWS, rows)


def _to_column(values: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values.tolist() if values.dtype == object else values, kind)
    offsets = pa.array(np.arange(0, values.size + 1, values.shape[1], dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), kind))


def _take(values: Any, rows: np.ndarray[Any, Any]) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]


def _unreadable(row: BadRow) -> dict[str, Any]:
    found = {"file": row.file, "row": row.line, "unit": row.unit, "code": row.code or UNREADABLE}
    return {**found, "message": row.reason, "text": row.text}


def _rejected(file: str, place: int, unit: str, refusal: Refusal, text: str) -> dict[str, Any]:
    found = {"file": file, "row": place, "unit": unit, "code": refusal.code}
    return {**found, "message": refusal.message, "text": text}
