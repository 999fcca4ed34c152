"""The predictor core: a model, its border, and the answers. Knows no server; adapters translate protocols to it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components._core.errors import ModelError
from components._core.features import DType, Signature
from components.serve.casting import Columns, to_arrays
from components.serve.limits import Limits
from components.serve.refusals import Refusal

if TYPE_CHECKING:
    from components._model.calling import LoadedModel

_log = logging.getLogger("naru.serve")
_NEUTRAL: dict[DType, Any] = {"float32": 0.0, "int64": 0, "string": "?"}


class Predictor:
    """Answers rows of named, typed features with named, typed outputs.

    Attributes:
        signature: What it takes and gives.
        max_rows: Rows that one request may have.
    """

    def __init__(self, model: LoadedModel, max_rows: int = Limits.rows) -> None:
        self.signature: Signature = model.signature
        self.max_rows = max_rows
        self._model = model

    def predict(self, columns: Columns) -> dict[str, np.ndarray[Any, Any]]:
        """Outputs by name, as `Signature.outputs` says them.

        Args:
            columns: Values by feature name, one per row; in a list `None` is a missing value.

        Raises:
            Refusal: With a status and a message that may go to the client.
        """
        arrays = to_arrays(columns, self.signature.inputs, self.max_rows)
        try:
            outputs = self._model.predict(arrays)
        except ModelError as error:
            _log.error("the model failed: %s", error)
            raise Refusal("model_failed", "the model failed on this request; the server's log says more") from None
        return {name: _finite(name, values) for name, values in outputs.items()}


def load(model: Path, max_rows: int = Limits.rows) -> Predictor:
    """Load a model folder and call it once, so that the first client does not wait and a broken model never says ready.

    Args:
        model: Folder with `signature.json` and `saved_model/`.
        max_rows: Rows that one request may have.

    Raises:
        ModelError: When the folder is missing, empty, damaged, or the model does not answer one row.
    """
    if not model.is_dir():
        raise ModelError("there is no such folder", where=str(model), remedy="name the folder of a trained model")
    from components._model.calling import load_model

    predictor = Predictor(load_model(model), max_rows)
    try:
        predictor.predict({feature.name: [_NEUTRAL[feature.dtype]] for feature in predictor.signature.inputs})
    except Refusal as refusal:
        remedy = "train the model again; the log above says what it stumbled over"
        raise ModelError(f"does not answer one row: {refusal}", where=str(model), remedy=remedy) from refusal
    return predictor


def _finite(name: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        _log.error("the model answered with a number that is not finite in %s", name)
        raise Refusal("model_failed", f"the model's {name} is no finite number for this request")
    return values
