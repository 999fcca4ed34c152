"""The sections of the project file about its table: where it is, how it is written, which rows and columns are used."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from components._core.project.column_config import ColumnReading, OddCells
from components._core.project.config_types import Real, Section


class Split(Section):
    """How rows are assigned to train, eval (early stopping, tuning) and test (judging)."""

    train: Annotated[Real, Field(gt=0, lt=1, description="Share of the rows to train on.")] = 0.8
    eval: Annotated[Real, Field(gt=0, lt=1, description="Share of the rows for early stopping and tuning.")] = 0.1
    test: Annotated[
        Real, Field(gt=0, lt=1, description="Share of the rows to evaluate on; never seen in training.")
    ] = 0.1
    by: Annotated[
        list[str],
        Field(
            description="Columns whose values are hashed: rows with equal values go to the same split. Default: the features."
        ),
    ] = []
    by_time: Annotated[
        str,
        Field(
            description="Column with the time of a row, instead of `by`: the newest rows are test, those before them eval, "
            "the oldest train, by their shares. A number, or ISO text such as `2013-05-01` or `2013-05-01T10:00`."
        ),
    ] = ""

    @model_validator(mode="after")
    def _by_excludes_by_time(self) -> Split:
        if self.by and self.by_time:
            raise ValueError("give by or by_time, not both")
        return self

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Split:
        total = self.train + self.eval + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + eval + test must be 1, found {total:g}")
        return self


class Csv(Section):
    """How a CSV file encloses and escapes cells."""

    quote: Annotated[
        str,
        Field(
            max_length=1,
            description='The character that encloses a cell with commas or line breaks; empty: `"` is an ordinary character '
            "and no cell is enclosed.",
        ),
    ] = '"'
    escape: Annotated[
        str,
        Field(
            max_length=1,
            description="The character that makes the next one ordinary, as `\\` does in files of Spark and MySQL; empty: none, "
            "and a quote inside of a cell is doubled.",
        ),
    ] = ""

    @property
    def delimiter(self) -> str:
        """Separator of cells."""
        return ","

    @field_validator("quote", "escape")
    @classmethod
    def _check_character(cls, value: str) -> str:
        if value and (not value.isascii() or value.isalnum() or value in ",\r\n\0 "):
            raise ValueError(
                f"found {value!r}; allowed: an ASCII character other than a letter, digit, blank, comma or line end"
            )
        return value

    @model_validator(mode="after")
    def _quote_and_escape_differ(self) -> Csv:
        if self.quote and self.quote == self.escape:
            raise ValueError(
                f"quote and escape are both {self.quote!r}; a doubled quote inside of a cell needs no escape"
            )
        return self


class Data(Section):
    """Where the examples come from."""

    source: Annotated[
        str,
        Field(
            min_length=1,
            description="Path or URL of the table, relative to the project file. `{span}` stands for a span's number, "
            "as in `data/flights-{span}.csv`.",
        ),
    ]
    format: Annotated[
        str,
        Field(
            description="Format of the source's files; empty: by file name extension, and CSV if the extension is unknown."
        ),
    ] = ""
    csv: Csv = Csv()
    spans: Annotated[
        str,
        Field(description="Spans to read: `all`, `7`, `1-11`, `1,2,5` or `last 3`. Only with `{span}` in the source."),
    ] = "all"
    split: Split = Split()
    exclude: Annotated[list[str], Field(description="Columns that the model must not see: identifiers, leaks.")] = []
    exclusion_reasons: Annotated[
        dict[str, str],
        Field(description="Reason for excluding each column; shown in the report, no other effect."),
    ] = {}
    columns: Annotated[
        dict[str, ColumnReading],
        Field(description="How the cells of a column are read, by column; others are read as their cells look."),
    ] = {}
    odd_cells: Annotated[
        OddCells,
        Field(
            description="What a cell that does not fit its column's type becomes: `missing`, counted by column and value, or "
            "`quarantine`: its row is set aside. Where most cells of a file do not fit, its rows are set aside in any case."
        ),
    ] = "missing"
    quarantine_limit: Annotated[
        float,
        Field(ge=0, lt=1, description="Share of rows that may be unreadable before the run stops; they are set aside."),
    ] = 0.0

    @model_validator(mode="after")
    def _reasons_name_excluded_columns(self) -> Data:
        if other := next((name for name in self.exclusion_reasons if name not in self.exclude), None):
            raise ValueError(f"exclusion_reasons names {other!r}, which is not in exclude")
        return self

    @field_validator("spans", mode="before")
    @classmethod
    def _spans_may_be_a_number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
