"""The section of the project file about its code: files, and the framework that calls them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from components._core.project.config_types import Section
from components._core.types.default_framework import DEFAULT_FRAMEWORK


class Code(Section):
    """The project's functions, by file, relative to the project file, and the framework that calls them."""

    framework: Annotated[
        str,
        Field(
            description="Framework of the model: `keras`, `torch`, `sklearn`, `xgboost` or `lightgbm`, or `onnx`, a file that was trained elsewhere; all but the first may prepare the columns themselves."
        ),
    ] = DEFAULT_FRAMEWORK
    preprocessing: Annotated[
        str,
        Field(
            description="File with `preprocessing_fn(inputs)`; where the framework may prepare the columns itself, it is read only when it is named, and may be empty."
        ),
    ] = "preprocessing.py"
    model: Annotated[
        str,
        Field(
            description="File with `build_model(inputs, transform, hyperparameters)`; of other frameworks than keras and torch `build_model(hyperparameters)`; of onnx the model itself."
        ),
    ] = "model.py"

    @property
    def files(self) -> tuple[str, ...]:
        """The files that must exist. `preprocessing.py` is a default of Keras alone: other frameworks have it when the project names it."""
        return (self.preprocessing, self.model) if self._has_preprocessing else (self.model,)

    @property
    def _has_preprocessing(self) -> bool:
        return self.framework == DEFAULT_FRAMEWORK or "preprocessing" in self.model_fields_set

    @model_serializer(mode="wrap")
    def _leave_out_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Serialize without the default framework: a stage's work is identified by this text, and must not run again for a new key."""
        fields: dict[str, Any] = serialize(self)
        if self.framework == DEFAULT_FRAMEWORK:
            fields.pop("framework", None)
        if not self._has_preprocessing:
            fields.pop("preprocessing", None)
        return fields
