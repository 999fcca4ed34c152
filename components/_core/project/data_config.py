"""The sections of the project file about its table: where it is, how it is written, which rows and columns are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from components._core.project.check_config import Checks, RowRules
from components._core.project.column_config import ColumnReading, OddCells
from components._core.project.config_types import Section
from components._core.project.join_config import Join
from components._core.project.picture_config import Pictures, with_pictures
from components._core.project.split_config import Split
from components._core.project.table_config import Csv, Sql, Xlsx
from components._core.project.text_config import Texts, with_texts

_SPLIT = "{split}"
_GIVEN_REASON = "names the split of each row"


class Data(Section):
    """Where the examples come from."""

    later: ClassVar[frozenset[str]] = frozenset(
        {"sql", "xlsx", "missing_spans", "columns", "odd_cells", "join", "rows", "checks", "pin", "pictures", "texts"}
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
    join: Annotated[
        list[Join],
        Field(description="Second tables: their columns are brought to the rows by a key, as of the time of each row."),
    ] = []
    texts: Annotated[Texts, Field(description="Columns of text in natural language.")] = Texts()
    quarantine_limit: Annotated[
        float,
        Field(ge=0, lt=1, description="Share of rows that may be unreadable before the run stops; they are set aside."),
    ] = 0.0
    pictures: Annotated[
        Pictures | None,
        Field(
            description="A column of pictures; absent: there is none, or its bytes are given to the model as they are."
        ),
    ] = None
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

    @model_validator(mode="before")
    @classmethod
    def _exclude_what_is_measured(cls, raw: Any) -> Any:
        return with_texts(with_pictures(raw))

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

    def with_places(self, locate: Callable[[str], str]) -> Data:
        """Return the section with the source of each join and the folder of pictures replaced, as by an absolute path; itself without them."""
        changes: dict[str, Any] = {}
        if self.join:
            changes["join"] = [join.model_copy(update={"source": locate(join.source)}) for join in self.join]
        if self.pictures is not None and self.pictures.folder:
            changes["pictures"] = self.pictures.model_copy(update={"folder": locate(self.pictures.folder)})
        return self.model_copy(update=changes) if changes else self

    @field_validator("spans", mode="before")
    @classmethod
    def _spans_may_be_a_number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
