"""The section of the project file about a column: what its text means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components._core.project.config_types import Section

OddCells = Literal["missing", "quarantine"]
"""What happens to a cell that does not fit its column's type."""


class ColumnReading(Section):
    """How the cells of a column are read. A column without an entry is read as its cells look."""

    type: Annotated[
        Literal["number", "category", "date", "time", "text", "identifier"],
        Field(
            description="`number`: without currency, percent sign, thousands or a unit, so `$1,234.50` is 1234.5. `date`: as ISO text, "
            "so `10.02.21` is `2021-02-10`, and with an offset in UTC. `time`: a time of day as hours, so `3:15 PM` is 15.25. "
            "`category`, `text`, `identifier`: the text as it is written, also where it looks like a number."
        ),
    ]
    decimal: Annotated[
        Literal[".", ","],
        Field(description="Decimal separator of a number; the other one separates thousands."),
    ] = "."
    order: Annotated[
        Literal["dmy", "mdy", "ymd"],
        Field(description="Order of day, month and year in a date of three numbers, such as `10.02.21`."),
    ] = "dmy"
    missing: Annotated[
        list[str],
        Field(
            description="Values that mean that there is none, such as `-999`. In a number, date or time a blank, `?`, `-`, `NA`, "
            "`null` and the like need no mention."
        ),
    ] = []

    @model_validator(mode="after")
    def _settings_fit_the_type(self) -> ColumnReading:
        for name, default, needed in (("decimal", ".", "number"), ("order", "dmy", "date")):
            if getattr(self, name) != default and self.type != needed:
                raise ValueError(f"{name} is only for type: {needed}, found type: {self.type}")
        return self
