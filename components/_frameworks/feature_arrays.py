"""The arrays that a model is called with, checked against its signature, the same for every framework."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.types.feature_types import FeatureType


def take_feature(name: str, wanted: FeatureType, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Return a feature's values in the type that the model takes, shape [rows].

    Args:
        name: The feature's name.
        wanted: Its type in the signature.
        arrays: Values by feature name.

    Raises:
        ModelError: When the feature is missing, or has another shape or type.
    """
    if name not in arrays:
        raise ModelError("is missing", where=f"feature {name}", remedy="give every feature of the signature")
    values = arrays[name]
    if values.ndim != 1:
        raise ModelError(f"has shape {list(values.shape)}, must be [rows]", where=f"feature {name}")
    if values.dtype == wanted.numpy:
        return values
    remedy = "make the arrays with signature.to_arrays"
    if wanted.is_text and values.dtype.kind not in "OUS":
        raise ModelError(f"is not {wanted.name}: found {values.dtype}", where=f"feature {name}", remedy=remedy)
    try:
        return values.astype(wanted.numpy, casting="same_kind" if wanted.is_real else "safe")
    except (TypeError, ValueError) as error:
        raise ModelError(f"is not {wanted.name}: {error}", where=f"feature {name}", remedy=remedy) from error
