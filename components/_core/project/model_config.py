"""The section of the project file about a model that was trained elsewhere: what its file takes and gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from components._core.project.config_types import Real, Section


def _check_columns(value: Any) -> Any:
    is_list = isinstance(value, list) and value and all(isinstance(name, str) and name for name in value)
    if is_list or (isinstance(value, str) and value):
        return value
    raise ValueError(f"found {repr(value)[:80]}; must be a column, or a list of columns in the order of the input")


def _class_as_text(value: Any) -> Any:
    """A class as the text by which it is known: YAML reads the class `1` as a number, and `true` as a truth value."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


ClassName = Annotated[str, BeforeValidator(_class_as_text)]
InputColumns = Annotated[str | list[str], BeforeValidator(_check_columns)]


class ModelOutputs(Section):
    """Which of the file's outputs is the score, and what its columns are."""

    scores: Annotated[
        str, Field(description="Output with the probabilities or the values; empty: the only one that has some.")
    ] = ""
    classes: Annotated[
        list[ClassName],
        Field(
            description="Classes of the label in the order of the output's columns; of one column, the class that it is the probability of "
            "comes last. Empty: as the file says, else in the order of the label's classes."
        ),
    ] = []
    activation: Annotated[
        Literal["sigmoid", "softmax"] | None,
        Field(description="What makes probabilities of the output if it has logits; absent: it has probabilities."),
    ] = None

    @field_validator("classes")
    @classmethod
    def _classes_are_unique(cls, value: list[str]) -> list[str]:
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"has {twice[0]!r} twice")
        return value


class ImportedModel(Section):
    """A model that was trained elsewhere (`code.framework: onnx`): `naru import` writes this section."""

    inputs: Annotated[
        dict[str, InputColumns],
        Field(
            description="Columns by the file's input: one column, or several in the order in which the input has them. An input with the "
            "name of a column takes that column. With a preprocessing_fn: the features that it makes."
        ),
    ] = {}
    missing: Annotated[
        dict[str, Real],
        Field(description="What a missing number becomes, by column; of others the model gets NaN."),
    ] = {}
    outputs: ModelOutputs = ModelOutputs()
