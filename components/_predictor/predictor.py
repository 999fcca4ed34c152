"""The predictor core: a model, its border, and the answers. Knows no server; adapters translate protocols and tables to it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from components._core.errors import ModelError
from components._core.examples.reference_rows import Ranges, Reference
from components._core.types.signature import Signature
from components._frameworks.contract import Model
from components._frameworks.table import load_model
from components._predictor.feature_values import MAX_ROWS, Columns, cast_columns
from components._predictor.finite_answers import check_finite
from components._predictor.refusals import Refusal
from components._predictor.warm_up import warm_up

_log = logging.getLogger("naru.serve")


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

    def predict(self, columns: Columns, request_id: str = "") -> dict[str, np.ndarray[Any, Any]]:
        """Outputs by name, as `Signature.outputs` says them.

        Args:
            columns: Values by feature name, one per row; in a list `None` is a missing value.
            request_id: The request's id, for the server's log when the model fails on it.

        Raises:
            Refusal: With a status and a message that may go to the client.
        """
        arrays = cast_columns(columns, self.signature.inputs, self.max_rows)
        try:
            outputs = self._model.predict(arrays)
        except ModelError as error:
            _log.error("request %s: the model failed: %s", request_id or "without an id", error)
            raise Refusal("model_failed", "the model failed on this request; the server's log says more") from None
        check_finite(outputs, arrays, self._ranges, request_id)
        return outputs


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
    predictor = Predictor(load_model(model), max_rows, reference.ranges, reference.threshold)
    try:
        warm_up(predictor.predict, predictor.signature.inputs, reference.row)
    except Refusal as refusal:
        remedy = "train the model again; the log above says what it stumbled over"
        raise ModelError(f"does not answer one row: {refusal}", where=str(model), remedy=remedy) from refusal
    return predictor
