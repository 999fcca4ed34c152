"""The sections of the project file about its table: where it is, how it is written, which rows and columns are used."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from components._core.project.config_types import Section
from components._core.project.split_config import Split

_SPLIT = "{split}"
_GIVEN_REASON = "names the split of each row"


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
            description="Path or URL of the table, relative to the project file. `{span}` stands for a span's number, as in "
            "`data/flights-{span}.csv`; `{YYYY}`, `{MM}`, `{DD}` and `{HH}` for its date, as in `data/{YYYY}/{MM}.csv` or "
            "`data/date={YYYY}-{MM}-{DD}/`; `{VERSION}` for a version of the span, of which the newest is read.",
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
        Field(
            description="Spans to read: `all`, `last 3`; by number `7`, `1-11` or `1,2,5`; by date `2024-06`, "
            "`2024-01..2024-06`, `since 90d` (or `12w`, `6m`, `2y`) or `since 2024-01-01`. Only with spans in the source."
        ),
    ] = "all"
    missing_spans: Annotated[
        Literal["fail", "warn", "skip"],
        Field(
            description="What follows when a span that `spans` names does not exist: `fail` ends the run, `warn` reads the "
            "others and warns, `skip` reads the others. Of `all` and `last 3`, gaps between spans are reported; `skip` only counts them."
        ),
    ] = "fail"
    split: Split = Split()
    exclude: Annotated[list[str], Field(description="Columns that the model must not see: identifiers, leaks.")] = []
    exclusion_reasons: Annotated[
        dict[str, str],
        Field(description="Reason for excluding each column; shown in the report, no other effect."),
    ] = {}
    quarantine_limit: Annotated[
        float,
        Field(ge=0, lt=1, description="Share of rows that may be unreadable before the run stops; they are set aside."),
    ] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _exclude_the_column_of_given_splits(cls, raw: Any) -> Any:
        """Exclude the column that names the splits: a model must not see it."""
        split = raw.get("split") if isinstance(raw, dict) else None
        if not isinstance(split, dict) or split.get("method") != "given" or not split.get("by"):
            return raw
        column = split["by"] if isinstance(split["by"], str) else split["by"][0]
        exclude, reasons = raw.get("exclude") or [], raw.get("exclusion_reasons") or {}
        if not isinstance(exclude, list) or not isinstance(reasons, dict) or column in exclude:
            return raw  # pydantic refuses what is wrong
        return {**raw, "exclude": [*exclude, column], "exclusion_reasons": {**reasons, column: _GIVEN_REASON}}

    @model_validator(mode="after")
    def _given_splits_have_one_place(self) -> Data:
        in_source = _SPLIT in self.source
        if in_source and (self.split.kind != "given" or self.split.by):
            raise ValueError(f"source has {_SPLIT}: set split to {{method: given}}, without by")
        if self.split.kind == "given" and not in_source and not self.split.by:
            raise ValueError(
                f"split.method: given needs by, the column that names each row's split; or {_SPLIT} in source, as in data/{_SPLIT}.csv"
            )
        return self

    @model_validator(mode="after")
    def _reasons_name_excluded_columns(self) -> Data:
        if other := next((name for name in self.exclusion_reasons if name not in self.exclude), None):
            raise ValueError(f"exclusion_reasons names {other!r}, which is not in exclude")
        return self

    @field_validator("spans", mode="before")
    @classmethod
    def _spans_may_be_a_number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
