"""Base types of the sections of a project file: closed, frozen, and strict where pydantic would coerce."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictBool, StrictFloat, StrictInt


def _reject_bool(value: Any) -> Any:
    """Reject `yes` as a number: pydantic would accept it as 1."""
    if isinstance(value, bool):
        raise ValueError(f"found {str(value).lower()}; must be a number")
    return value


Real = Annotated[float, BeforeValidator(_reject_bool)]
Hyperparameter = (
    StrictBool | StrictInt | StrictFloat | str
)  # strict: a whole number survives a round trip as a whole number


class Section(BaseModel):
    """A mapping that rejects unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)
