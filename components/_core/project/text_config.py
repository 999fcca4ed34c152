"""The section of the project file about columns of text in natural language (`data.texts`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, field_validator

from components._core.project.config_types import Real, Section

CHARACTERS, LANGUAGE, GROUP = "characters", "language", "group"
"""What ingest measures of a text; its columns are named `review.characters` and so on."""
TEXT_FORMATS = ("text_folder", "text_lines")
"""Formats of which the column `text` is a text without further ado."""
TEXT, PATH = "text", "path"
"""Columns of these formats."""
_REASONS = {
    CHARACTERS: "measured of the text: its length",
    LANGUAGE: "measured of the text: a guess of its language",
    GROUP: "measured of the text: keeps near duplicates in one split",
}
_PATH_REASON = "names the file of each row"


class Texts(Section):
    """Columns of text in natural language: what is masked and measured of them, and how long they may be."""

    columns: Annotated[
        list[str],
        Field(
            description="Columns of text, of which ingest measures length, language and near duplicates (`review.characters`, `review.language`, "
            "`review.group`: not for the model). With `format: text_folder` or `text_lines`: `text`."
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
        """The columns with the groups of near duplicates; empty: none are looked for."""
        return [measured_name(column, GROUP) for column in self.columns] if self.near else []

    @property
    def measured(self) -> list[str]:
        """All measured columns."""
        kinds = [CHARACTERS, LANGUAGE, *([GROUP] if self.near else [])]
        return [measured_name(column, kind) for column in self.columns for kind in kinds]


def measured_name(column: str, kind: str) -> str:
    """Return the name of a measured column of a text."""
    return f"{column}.{kind}"


def exclude_measured_texts(raw: Any) -> Any:
    """Exclude the measured columns of texts from what the model sees, in a `data` section as it is in the file; a format of texts names its column."""
    if not isinstance(raw, dict):
        return raw
    texts, is_of_texts = raw.get("texts"), raw.get("format") in TEXT_FORMATS
    if is_of_texts and (texts is None or (isinstance(texts, dict) and not texts.get("columns"))):
        texts = {**(texts or {}), "columns": [TEXT]}
        raw = {**raw, "texts": texts}
    if not isinstance(texts, dict):
        return raw
    columns = [texts["columns"]] if isinstance(texts.get("columns"), str) else texts.get("columns")
    exclude, reasons = raw.get("exclude") or [], raw.get("exclusion_reasons") or {}
    if not isinstance(columns, list) or not isinstance(exclude, list) or not isinstance(reasons, dict):
        return raw  # pydantic refuses what is wrong
    kinds = [kind for kind in _REASONS if kind != GROUP or texts.get("near") != 0]
    added = {measured_name(str(column), kind): _REASONS[kind] for column in columns for kind in kinds}
    added |= {PATH: _PATH_REASON} if raw.get("format") == TEXT_FORMATS[0] else {}
    new = {name: reason for name, reason in added.items() if name not in exclude}
    return {**raw, "exclude": [*exclude, *new], "exclusion_reasons": {**new, **reasons}}
