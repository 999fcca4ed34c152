"""Weights of rows for the last step of a pipeline, which is the one that learns the label."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from components._core.errors import UserCodeError

_PARAMETER = "sample_weight"


def row_weights(
    pipeline: Pipeline, labels: NDArray[Any], class_weights: NDArray[Any] | None
) -> dict[str, NDArray[Any]]:
    """Return the arguments of `Pipeline.fit` that weigh the rows; empty without weights.

    Args:
        pipeline: The pipeline, not fitted.
        labels: Class index of each row.
        class_weights: Weight by class index.

    Raises:
        UserCodeError: When the last step takes no weights.
    """
    if class_weights is None:
        return {}
    name, last = pipeline.steps[-1]
    if not has_fit_parameter(last, _PARAMETER):
        message = f"{type(last).__name__}, the last step of build_model's pipeline, takes no weights of rows"
        remedy = "use a classifier whose fit takes sample_weight, or remove the key and set serve.threshold instead"
        raise UserCodeError(message, where="train.class_weight", remedy=remedy)
    return {f"{name}__{_PARAMETER}": class_weights[labels]}
