"""The sections of the project file about its table: where it is, how it is written, which rows and columns are used."""

from __future__ import annotations

import codecs
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from components._core.project.check_config import Checks, RowRules
from components._core.project.column_config import ColumnReading, OddCells
from components._core.project.config_types import Section
from components._core.project.split_config import Split

_SPLIT = "{split}"
_GIVEN_REASON = "names the split of each row"


_ENCODINGS = {
    **dict.fromkeys(("auto",), ""),
    **dict.fromkeys(("utf8", "utf-8-sig", "ascii", "us-ascii"), "utf-8"),
    # what is called EUC-KR has the additional syllables of cp949, as browsers read it
    **dict.fromkeys(("euc-kr", "euckr", "ks-c-5601", "ks-c-5601-1987", "ms949", "uhc"), "cp949"),
}
"""Other names of encodings."""
_NOT_BY_BYTES = (
    "idna",
    "punycode",
    "unicode-escape",
    "raw-unicode-escape",
    "undefined",
    "mbcs",
    "oem",
    "rot13",
    "rot-13",
)


class Csv(Section):
    """How a CSV file is written; what is left out is detected in the file."""

    later: ClassVar[frozenset[str]] = frozenset({"separator", "encoding", "skip_lines", "comment"})

    separator: Annotated[
        str,
        Field(
            description="The character between cells; `tab` for a tab; empty: a comma, semicolon, tab or `|`, as detected."
        ),
    ] = ""
    encoding: Annotated[
        str,
        Field(description="Encoding of the text, such as `cp949`, `utf-16` or `cp1250`; empty: as detected."),
    ] = ""
    skip_lines: Annotated[
        int | None,
        Field(
            ge=0,
            le=1_000,
            description="Number of lines before the header that are not part of the table; left out: lines that begin with `#`, "
            "and lines with fewer cells than the table, as detected.",
        ),
    ] = None
    comment: Annotated[
        str,
        Field(max_length=1, description="The character that begins a line to skip, anywhere in the file; empty: none."),
    ] = ""
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
        """Separator of cells; a comma where none is named."""
        return self.separator or ","

    @field_validator("quote", "escape", "comment")
    @classmethod
    def _check_character(cls, value: str) -> str:
        if value and (not value.isascii() or value.isalnum() or value in ",\r\n\0 "):
            raise ValueError(
                f"found {value!r}; allowed: an ASCII character other than a letter, digit, blank, comma or line end"
            )
        return value

    @field_validator("separator")
    @classmethod
    def _check_separator(cls, value: str) -> str:
        value = {"tab": "\t", "\\t": "\t"}.get(value, value)
        if value and (len(value) > 1 or not value.isascii() or value.isalnum() or value in '\r\n\0"'):
            raise ValueError(
                f"found {value!r}; allowed: one ASCII character other than a letter, digit, quote or line end, or `tab`"
            )
        return value

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, value: str) -> str:
        name = value.strip().lower()
        name = _ENCODINGS.get(name.replace("_", "-"), name)
        try:
            is_known = not name or isinstance(codecs.getincrementaldecoder(name)("strict").decode(b""), str)
        except (LookupError, ValueError, TypeError):
            is_known = False
        if not is_known or name in _NOT_BY_BYTES:
            raise ValueError(
                f"found {value!r}; allowed: utf-8, utf-16, cp949, cp1252 and other encodings that Python names"
            )
        return name

    @model_validator(mode="after")
    def _quote_and_escape_differ(self) -> Csv:
        special = [mark for mark in (self.separator, self.quote, self.escape, self.comment) if mark]
        if self.separator and self.separator in (self.quote, self.escape, self.comment):
            raise ValueError(f"separator is {self.separator!r}, which is quote, escape or comment, too")
        if self.comment and special.count(self.comment) > 1:
            raise ValueError(f"comment is {self.comment!r}, which is quote or escape, too")
        if self.quote and self.quote == self.escape:
            raise ValueError(
                f"quote and escape are both {self.quote!r}; a doubled quote inside of a cell needs no escape"
            )
        return self


class Sql(Section):
    """The table or query of a database that is the table, and its spans."""

    table: Annotated[
        str, Field(max_length=512, description="Table or view, as in `flights`, `schema.flights` or `dataset.flights`.")
    ] = ""
    query: Annotated[
        str,
        Field(
            max_length=100_000,
            description="A SELECT instead of a table. It is run with rights to read only, and may run more than once.",
        ),
    ] = ""
    span_column: Annotated[
        str,
        Field(description="Column by whose value a row belongs to a span: a whole number, a date or a time."),
    ] = ""
    span_unit: Annotated[
        Literal["number", "year", "month", "day"],
        Field(description="What a span is: each number in the column, or the year, month or day of its dates."),
    ] = "number"
    version_column: Annotated[
        str,
        Field(
            description="Column that grows with every change of a row, such as `updated_at`. With it, changes are noticed by its "
            "largest value and the number of rows; without it, every row is hashed in the database."
        ),
    ] = ""

    @model_validator(mode="after")
    def _names_one_table(self) -> Sql:
        if self.table and self.query:
            raise ValueError("give table or query, not both")
        if not (self.table or self.query):
            raise ValueError("give table or query")
        if self.span_unit != "number" and not self.span_column:
            raise ValueError("span_unit needs span_column")
        return self


class Xlsx(Section):
    """Which part of an Excel workbook is the table."""

    sheet: Annotated[
        str,
        Field(description="Name of the sheet with the table; empty: the first one that has data."),
    ] = ""


class Data(Section):
    """Where the examples come from."""

    later: ClassVar[frozenset[str]] = frozenset(
        {"sql", "xlsx", "missing_spans", "columns", "odd_cells", "rows", "checks", "pin"}
    )

    source: Annotated[
        str,
        Field(
            min_length=1,
            description="Path or URL of the table, relative to the project file. `{span}` stands for a span's number, as in "
            "`data/flights-{span}.csv`; `{YYYY}`, `{MM}`, `{DD}` and `{HH}` for its date, as in `data/{YYYY}/{MM}.csv` or "
            "`data/date={YYYY}-{MM}-{DD}/`; `{VERSION}` for a version of the span, of which the newest is read. "
            "`naru://flights@5` is the dataset of version 5 of the project flights, in the same store.",
        ),
    ]
    format: Annotated[
        str,
        Field(
            description="Format of the source's files; empty or `auto`: recognised by the first file's content, whatever its name."
        ),
    ] = ""
    csv: Csv = Csv()
    sql: Annotated[
        Sql | None, Field(description="What of a database is the table; only with a database as the source.")
    ] = None
    xlsx: Xlsx = Xlsx()
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
    pin: Annotated[
        str,
        Field(
            pattern="^([0-9a-f]{8,32})?$",
            description="Fingerprint of the one dataset that may be read, or its first 8 digits or more: `naru data pin` writes it. "
            "A source that gives another one ends the run.",
        ),
    ] = ""
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
    rows: Annotated[RowRules, Field(description="Rows that are left out, counted by rule.")] = RowRules()
    checks: Annotated[
        Checks, Field(description="What is expected of the table; `naru data check` checks it without a run.")
    ] = Checks()

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
