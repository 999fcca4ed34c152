"""The section of the project file about what happens to columns in front of preprocessing_fn."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from components._core.project.config_types import Real, Section


def _check_value(value: Any) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float, str))):
        raise ValueError(f"found {value!r}; allowed: median, mean, a number or a text")
    return value


class ColumnRule(Section):
    """What is done to one column, first clip, then impute; in training and in serving, by the same graph."""

    clip: Annotated[
        tuple[Real, Real] | None,
        Field(
            description="Lowest and highest value of a number: values beyond become these. Missing values stay missing."
        ),
    ] = None
    impute: Annotated[
        float | str | None,
        BeforeValidator(_check_value),
        Field(
            description="What a missing value becomes: the `median` or `mean` of the training rows, after clip, or a value: a number in a "
            "column of numbers, a text in a column of texts."
        ),
    ] = None

    @model_validator(mode="after")
    def _does_something(self) -> ColumnRule:
        if self.clip is None and self.impute is None:
            raise ValueError("give clip, impute or both")
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip: the lowest value ({self.clip[0]:g}) must be below the highest ({self.clip[1]:g})")
        return self


class Transform(Section):
    """What happens to columns in front of preprocessing_fn."""

    columns: Annotated[
        dict[str, ColumnRule],
        Field(
            description="Rules by column, as in `fare: {clip: [0, 500], impute: median}`; others are left as they are."
        ),
    ] = {}
