"""The section of the project file about the search for hyperparameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt, model_validator

from components._core.project.config_types import Hyperparameter, Real, Section


class Space(Section):
    """The values that one hyperparameter may take: a range or a list."""

    low: Real | None = None
    high: Real | None = None
    log: Annotated[bool, Field(description="Search the range on a logarithmic scale.")] = False
    integer: Annotated[bool, Field(description="Whole numbers only.")] = False
    choices: Annotated[list[Hyperparameter], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _range_or_choices(self) -> Space:
        has_range = self.low is not None and self.high is not None
        if has_range == (self.choices is not None):
            raise ValueError("give either low and high, or choices")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("a logarithmic range needs low > 0")
        return self


class Tune(Section):
    """The search for hyperparameters."""

    trials: Annotated[StrictInt, Field(ge=0, description="Number of models to try; 0 uses the defaults.")] = 0
    epochs: Annotated[StrictInt, Field(ge=1, description="Epochs of each trial.")] = 2
    space: dict[str, Space] = {}

    @model_validator(mode="after")
    def _trials_need_a_space(self) -> Tune:
        if self.trials and not self.space:
            raise ValueError("trials need a space: name at least one hyperparameter under tune.space")
        return self
