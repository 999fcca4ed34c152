"""What the sections of a project file are made of: closed, frozen, and strict where the library would guess."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictBool, StrictFloat, StrictInt


def _no_truth_value(value: Any) -> Any:
    """`yes` is not 1: the library would take it for one."""
    if isinstance(value, bool):
        raise ValueError(f"found {str(value).lower()}; must be a number")
    return value


Real = Annotated[float, BeforeValidator(_no_truth_value)]
Hyperparameter = StrictBool | StrictInt | StrictFloat | str  # strict: a whole number stays one, there and back


class Section(BaseModel):
    """A mapping in which a field that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)
