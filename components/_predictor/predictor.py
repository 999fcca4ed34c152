"""The predictor core: a model, its border, and the answers. Knows no server; adapters translate protocols and tables to it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components._core.errors import ModelError, first_line
from components._core.examples.reference_rows import Ranges, Reference
from components._core.types.signature import Signature
from components._frameworks.contract import Model
from components._frameworks.table import load_model
from components._predictor.border import Border, Prepared
from components._predictor.feature_values import MAX_ROWS, Columns, cast_columns, refuse_rows
from components._predictor.finite_answers import check_finite, refuse_not_finite, shown_id
from components._predictor.interval_model import IntervalModel
from components._predictor.refusals import Refusal
from components._predictor.warm_up import warm_up

_FAILED = "the model failed on this request; the server's log says more"
_MOST_FAILURES = 100
"""Rows of one call that the model may fail on, one by one, before `answer_rows` gives up."""
_log = logging.getLogger("naru.serve")
Arrays = dict[str, np.ndarray[Any, Any]]
Indices = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RowAnswers:
    """The answers to some rows, of which some were refused.

    Attributes:
        kept: Index of each answered row, ascending.
        outputs: The model's outputs by name, for the answered rows.
        refusals: Refusal by index, for the other rows.
    """

    kept: Indices
    outputs: Arrays
    refusals: dict[int, Refusal]


class Predictor:
    """Answers rows of named, typed features with named, typed outputs.

    Args:
        model: The model in memory.
        max_rows: Rows that one request may have.
        ranges: Training range of numeric features by name, to say what is unusual in a row without a finite answer.
        threshold: Probability from which a row counts as positive, where the model has its own.

    Attributes:
        signature: What it takes and gives.
        max_rows: Rows that one request may have.
        threshold: As given; for metadata, since answers are probabilities.
    """

    def __init__(
        self,
        model: Model,
        max_rows: int = MAX_ROWS,
        ranges: Ranges | None = None,
        threshold: float | None = None,
    ) -> None:
        self.signature: Signature = model.signature
        self.max_rows = max_rows
        self.threshold = threshold
        self._model = model
        self._ranges = ranges or {}
        self._border = Border(self.signature.inputs)

    def prepare(self, columns: Columns) -> Columns:
        """Return the columns of a request as the model, a version under test and the request log take them: pictures and masked texts.

        What `predict` is given need not be prepared; what is prepared is not prepared again.

        Raises:
            Refusal: With the feature and the row.
        """
        return self._border.prepare(columns)

    def is_heavy(self, columns: Columns) -> bool:
        """Return whether the pictures of a request are so large or many that they should not be decoded on an event loop."""
        return self._border.is_heavy(columns)

    def predict(self, columns: Columns, request_id: str = "") -> dict[str, np.ndarray[Any, Any]]:
        """Outputs by name, as `Signature.outputs` says them.

        Args:
            columns: Values by feature name, one per row; in a list `None` is a missing value.
            request_id: The request's id, for the server's log when the model fails on it.

        Raises:
            Refusal: With a status and a message that may go to the client.
        """
        columns = self.prepare(columns)
        arrays = cast_columns(columns, self.signature.inputs, self.max_rows)
        try:
            outputs = self._model.predict(arrays)
        except ModelError as error:
            _log.error("request %s: the model failed: %s", shown_id(request_id), error)
            raise Refusal("model_failed", _FAILED) from None
        check_finite(outputs, arrays, self._ranges, request_id)
        return outputs

    def answer_rows(self, columns: Columns) -> RowAnswers:
        """Answer each row as `predict` answers it in a request of its own, and refuse it alone.

        Args:
            columns: As in `predict`; any number of rows from 1.

        Raises:
            ModelError: When the model fails on more than `_MOST_FAILURES` rows.
            Refusal: When no row can be answered, because a feature is missing or unknown.
        """
        rows, features = max(map(len, columns.values()), default=0), self.signature.inputs
        kept, refusals = np.arange(rows), {}
        columns, refused = self._border.prepare_rows(columns)
        if refused:
            kept = np.delete(kept, list(refused))
            if not kept.size:
                return RowAnswers(kept, {}, refused)
            answers = self.answer_rows(Prepared({name: _take(values, kept) for name, values in columns.items()}))
            others = {int(kept[row]): refusal for row, refusal in answers.refusals.items()}
            return RowAnswers(kept[answers.kept], answers.outputs, refused | others)
        try:
            arrays = cast_columns(columns, features, rows)
        except Refusal:
            refusals = refuse_rows(columns, features)
            kept = np.delete(kept, list(refusals))
            if not kept.size:
                return RowAnswers(kept, {}, refusals)
            arrays = cast_columns({name: _take(values, kept) for name, values in columns.items()}, features, rows)
        answered, outputs, failed = self._answer_each(arrays, len(kept))
        refusals |= {int(kept[row]): refusal for row, refusal in failed.items()}
        return RowAnswers(kept[answered], outputs, refusals)

    def _answer_each(self, arrays: Arrays, rows: int) -> tuple[Indices, Arrays, dict[int, Refusal]]:
        """Return the rows that are answered, their outputs, and the refusals of the others; rows are halved where the model fails."""
        answered: list[Indices] = []
        parts: list[Arrays] = []
        refusals: dict[int, Refusal] = {}
        waiting = [(0, rows)]
        while waiting:
            start, end = waiting.pop()
            inputs = {name: values[start:end] for name, values in arrays.items()}
            try:
                outputs = self._model.predict(inputs)
            except ModelError as error:
                if end - start > 1:
                    middle = (start + end) // 2
                    waiting += [(middle, end), (start, middle)]
                    continue
                refusals[start] = Refusal("model_failed", f"the model failed on this row: {first_line(error)}")
                if len(refusals) > _MOST_FAILURES:
                    raise
                continue
            failed = refuse_not_finite(outputs, inputs, self._ranges)
            refusals |= {start + row: refusal for row, refusal in failed.items()}
            good = np.delete(np.arange(end - start), list(failed))
            answered.append(start + good)
            parts.append({name: values[good] for name, values in outputs.items()} if failed else outputs)
        if not answered:
            return np.empty(0, np.int64), {}, refusals
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts[1:] else parts[0]
        return np.concatenate(answered), joined, refusals


def _take(values: Sequence[Any] | np.ndarray[Any, Any], rows: Indices) -> Sequence[Any] | np.ndarray[Any, Any]:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]


def make_predictor(model: Model, reference: Reference, max_rows: int = MAX_ROWS) -> Predictor:
    """Make the predictor of a model that answers as its reference says: with the threshold, and the interval if there is one."""
    answering = IntervalModel(model, reference.interval) if reference.interval else model
    return Predictor(answering, max_rows, reference.ranges, reference.threshold)


def load(model: Path, max_rows: int = MAX_ROWS) -> Predictor:
    """Load a model folder and call it once, so that the first row does not wait and a broken model is found at once.

    Args:
        model: Folder of the model: `signature.json` and the files of its framework.
        max_rows: Rows that one request may have.

    Raises:
        ModelError: When the folder is missing, empty, damaged, or the model does not answer one row.
    """
    if not model.is_dir():
        raise ModelError("there is no such folder", where=str(model), remedy="name the folder of a trained model")

    reference = Reference.load(model)
    predictor = make_predictor(load_model(model), reference, max_rows)
    try:
        warm_up(predictor.predict, predictor.signature.inputs, reference.row)
    except Refusal as refusal:
        remedy = "train the model again; the log above says what it stumbled over"
        raise ModelError(f"does not answer one row: {refusal}", where=str(model), remedy=remedy) from refusal
    return predictor
