"""The section of the project file about a second table: which of its columns a row gets, and as of which time."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from components._core.project.check_config import CheckSeverity, Share
from components._core.project.column_config import ColumnReading
from components._core.project.config_types import Real, Section
from components._core.project.durations import UNITS, microseconds_of
from components._core.project.table_config import Csv, Sql, Xlsx


def _as_pairs(value: Any) -> Any:
    """Take a column, or a list of columns, for pairs of columns with the same name."""
    listed = [value] if isinstance(value, str) else value
    names = [*listed] if isinstance(listed, list | dict) else []
    names += listed.values() if isinstance(listed, dict) else []
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(
            f"found {value!r}; allowed: a column, a list of columns, or pairs of columns, as in {{station: station_id}}"
        )
    return listed if isinstance(listed, dict) else {name: name for name in listed}


def _allow_names(schema: dict[str, Any]) -> None:
    """Allow a name, or a list of names, besides a mapping in the JSON Schema."""
    pairs = {key: schema.pop(key) for key in ("type", "additionalProperties") if key in schema}
    schema.pop("minProperties", None)
    schema["anyOf"] = [
        {**pairs, "minProperties": 1},
        {"type": "array", "items": {"type": "string"}},
        {"type": "string"},
    ]


class Join(Section):
    """A second table, whose columns every row gets by a key, as of the row's time."""

    source: Annotated[
        str,
        Field(
            min_length=1,
            description="Path or URL of the second table, as `data.source`; all its spans are read, and held in memory.",
        ),
    ]
    format: Annotated[str, Field(description="Format of its files, as `data.format`.")] = ""
    csv: Csv = Csv()
    sql: Annotated[Sql | None, Field(description="What of a database is the second table.")] = None
    xlsx: Xlsx = Xlsx()
    on: Annotated[
        dict[str, str],
        BeforeValidator(_as_pairs),
        Field(
            description="The columns whose values must be equal, as in `[station]`; or the name in the table and the name in the "
            "second one, as in `{station: station_id}`.",
            json_schema_extra=_allow_names,
        ),
    ]
    time: Annotated[
        str,
        Field(
            description="Column of the second table with the time from which its row is known: a row gets the newest one at or before "
            "its own time, never a later one. Empty: there is one row for each key."
        ),
    ] = ""
    row_time: Annotated[
        str,
        Field(description="Column of the table with the time of a row; empty: the column of a split by time."),
    ] = ""
    columns: Annotated[list[str], Field(description="Columns to bring; empty: all but those of `on` and `time`.")] = []
    prefix: Annotated[str, Field(description="What their names begin with in the table, as in `weather_`.")] = ""
    within: Annotated[
        str | Real | None,
        Field(
            description="How old a row may be at most, as in `90min`, `3h`, `7d` or `2w`; where the times are numbers, a number in their "
            "unit. Older ones count as none."
        ),
    ] = None
    readings: Annotated[
        dict[str, ColumnReading],
        Field(
            description="How the cells of the second table are read, by its columns, as `data.columns`. Without an entry, a key and the "
            "time are read as the columns that they are compared with."
        ),
    ] = {}
    allow: Annotated[Share, Field(description="Share of the rows that may have no match, as in `2%`.")] = 0.0
    severity: Annotated[
        CheckSeverity, Field(description="What follows when more rows have none: `warn`, or `fail` ends the run.")
    ] = "warn"

    @field_validator("within")
    @classmethod
    def _within_is_positive(cls, value: str | float | None) -> str | float | None:
        if isinstance(value, str) and microseconds_of(value) is None:
            units = ", ".join(UNITS)
            raise ValueError(f"found {value!r}; allowed: a number with a unit ({units}), as in 3h")
        if value is not None and _amount(value) <= 0:
            raise ValueError(f"found {value!r}; must be above 0")
        return value

    @model_validator(mode="after")
    def _settings_go_together(self) -> Join:
        if not self.time and (self.within is not None or self.row_time):
            key = "within" if self.within is not None else "row_time"
            raise ValueError(f"{key} needs time, the column of the second table with its rows' time")
        if twice := next((name for name in self.columns if self.columns.count(name) > 1), ""):
            raise ValueError(f"columns has {twice!r} twice")
        if used := next((name for name in self.columns if name in {*self.on.values(), self.time}), ""):
            raise ValueError(f"columns has {used!r}, by which the tables are joined: leave it out")
        keys = [*self.on.values()]
        if twice := next((name for name in keys if keys.count(name) > 1), ""):
            raise ValueError(f"on has {twice!r} of the second table twice")
        return self

    @property
    def longest_age(self) -> float | None:
        """`within` as microseconds, or in the unit of times that are numbers; None: any age."""
        return None if self.within is None else _amount(self.within)


def _amount(within: str | float) -> float:
    return microseconds_of(within) or 0.0 if isinstance(within, str) else within
