"""The section of the project file about what a triggered run trains on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from components._core.project.config_types import Hyperparameter, Section


class Retrain(Section):
    """What the runs of triggers and schedules train on; a parameter of a trigger's or schedule's own goes before it."""

    spans: Annotated[
        str,
        Field(
            description="Spans as in `data.spans`: a number of the newest (`last 12`), a time (`since 90d`, `2024-01..2024-06`), or `all`. Empty: `data.spans`, "
            "also where it names fixed spans, so that labels that come later are in none of them."
        ),
    ] = ""

    @field_validator("spans", mode="before")
    @classmethod
    def _spans_may_be_a_number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def parameters(self) -> dict[str, Hyperparameter]:
        """The pipeline parameters that it sets."""
        return {"spans": self.spans} if self.spans else {}
