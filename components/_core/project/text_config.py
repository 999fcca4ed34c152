"""The section of the project file about columns of text in natural language (`data.texts`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, field_validator

from components._core.project.config_types import Real, Section
from components._core.project.measured_exclusions import exclude_measured
from components._core.types.file_columns import PATH_COLUMN, PATH_REASON
from components._core.types.measured_columns import GROUP, REASON, TEXT_MEASURES, measured_column

TEXTS_SCHEME = "texts://"
"""Beginning of a source that is a folder of files of text, with a folder for each class."""
TEXT_LINES = "text_lines"
"""The format of plain text with a row for each line."""
TEXT = "text"
"""Columns of these."""


class Texts(Section):
    """Columns of text in natural language: what is masked and measured of them, and how long they may be."""

    columns: Annotated[
        list[str],
        Field(
            description="Columns of text, of which ingest measures length, language and near duplicates (`review.characters`, `review.language`, "
            "`review.group`: not for the model). Of a source `texts://...` and with `format: text_lines`: `text`."
        ),
    ] = []
    mask: Annotated[
        list[Literal["mail", "phone", "card", "resident_number"]],
        Field(
            description="Personal data that is replaced by its kind, as in `[mail]`, at ingest and in requests before model and log: "
            "`mail`, `phone`, `card` (by its check digit), `resident_number` (Korea's, by check digit and date)."
        ),
    ] = []
    language: Annotated[
        str,
        Field(
            pattern="^([a-z]{2,3})?$",
            description="Expected language, as in `ko` or `en`; empty: that of most rows.",
        ),
    ] = ""
    max_characters: Annotated[
        StrictInt,
        Field(ge=1, le=10_000_000, description="Longest text, in characters; the row of a longer one is set aside."),
    ] = 100_000
    near: Annotated[
        Real,
        Field(
            ge=0,
            le=1,
            description="Similarity (Jaccard, of runs of 5 letters) from which texts are near duplicates, and stay in one split by `hash`; 0: "
            "near duplicates are neither found nor kept together.",
        ),
    ] = 0.7

    @field_validator("columns", "mask", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, value: list[str]) -> list[str]:
        if repeated := next((name for name in value if value.count(name) > 1), ""):
            raise ValueError(f"{repeated!r} is named twice")
        return value

    @property
    def groups(self) -> list[str]:
        """The columns with the groups of near duplicates; empty: rows go by themselves."""
        return [measured_column(column, GROUP) for column in self.columns] if self.near else []

    @property
    def measured(self) -> dict[str, str]:
        """Reason for excluding each measured column from the model, by its name."""
        kinds = [kind for kind in TEXT_MEASURES if kind != GROUP or self.near]
        return {measured_column(column, kind): REASON.format(column) for column in self.columns for kind in kinds}


def with_texts(raw: Any) -> Any:
    """Complete a raw `data` section with texts: what is measured is excluded from the model, and the split goes by near duplicates.

    A source of texts has their column by itself.
    """
    if not isinstance(raw, dict):
        return raw
    has_files = isinstance(raw.get("source"), str) and raw["source"].startswith(TEXTS_SCHEME)
    given = raw.get("texts")
    if (has_files or raw.get("format") == TEXT_LINES) and (
        given is None or (isinstance(given, dict) and not given.get("columns"))
    ):
        given = {**(given or {}), "columns": [TEXT]}
    texts = given if isinstance(given, Texts) else _parse(given)
    if texts is None or not texts.columns:
        return raw  # pydantic says what is wrong
    reasons = {**texts.measured, **({PATH_COLUMN: PATH_REASON} if has_files else {})}
    return exclude_measured({**raw, "texts": given}, reasons, texts.groups)


def _parse(given: Any) -> Texts | None:
    try:
        return Texts.model_validate(given)
    except ValueError:
        return None
