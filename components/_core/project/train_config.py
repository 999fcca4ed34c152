"""The section of the project file about the fit of the model."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StrictInt

from components._core.project.config_types import Hyperparameter, Section

_LARGEST_WEIGHT = 1_000_000


def _check_class_weight(value: Any) -> Any:
    """Refuse what is neither `balanced` nor a weight by class, in one sentence for both forms; classes become texts."""
    if value is None or value == "balanced":
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError(f"found {repr(value)[:80]}; must be balanced, or a weight by class as in {{yes: 20}}")
    for name, weight in value.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 < weight <= _LARGEST_WEIGHT:
            found = f"found {repr(weight)[:80]} for the class {str(name)[:80]!r}"
            raise ValueError(f"{found}; a weight must be a number above 0, {_LARGEST_WEIGHT:,} at most")
    # YAML reads the class `1` as a number, and `true` as a truth value
    return {str(name).lower() if isinstance(name, bool) else str(name): weight for name, weight in value.items()}


class Train(Section):
    """How the model is fitted."""

    later: ClassVar[frozenset[str]] = frozenset({"class_weight"})

    epochs: Annotated[StrictInt, Field(ge=1, description="Maximum number of passes over the training rows.")] = 10
    steps: Annotated[
        StrictInt, Field(ge=0, description="Maximum number of optimiser steps; 0: as many as the epochs take.")
    ] = 0
    batch_size: Annotated[StrictInt, Field(ge=1, description="Rows per step.")] = 256
    patience: Annotated[
        StrictInt, Field(ge=0, description="Epochs without a better eval loss before training stops; 0: never.")
    ] = 2
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32, description="Seed for all randomness.")] = 7
    class_weight: Annotated[
        Literal["balanced"] | dict[str, float] | None,
        BeforeValidator(_check_class_weight),
        Field(
            description="Weight of a row in the loss by its class, for rare classes: `balanced`, or numbers by class as in "
            "`{yes: 20}` (others have 1). Probabilities are then no longer shares of rows; absent: every row counts the same."
        ),
    ] = None
    hyperparameters: Annotated[
        dict[str, Hyperparameter],
        Field(
            description="Default hyperparameters of build_model; Naru uses `learning_rate` if the model chooses no optimizer."
        ),
    ] = {}
