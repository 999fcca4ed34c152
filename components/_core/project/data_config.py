"""The sections of the project file about its table: where it is, how it is written, which rows and columns are used."""

from __future__ import annotations

import codecs
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

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
            description="Number of lines before the header that are no part of the table; left out: lines that begin with `#`, "
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
            description="Format of the source's files; empty or `auto`: recognised by the first file's content, whatever its name."
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
