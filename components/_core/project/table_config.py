"""The sections of the project file about how a table is written, or which part of its place it is: of CSV, databases and workbooks."""

from __future__ import annotations

import codecs
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from components._core.project.config_types import Section

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
