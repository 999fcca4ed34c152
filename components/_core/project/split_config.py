"""The section of the project file about splits: which rows train a model, stop and tune it, and judge it.

| method | a row's split | keys |
| --- | --- | --- |
| `hash` | its features alone decide (the default) | |
| `group` | rows with equal values in some columns stay together | `by`: those columns |
| `time` | the newest rows are test, the oldest train | `by`: the column with the time |
| `stratified` | as `hash`, with the shares held in each class of the label | |
| `given` | a column says it, or the file's folder or name | `by`: that column, or `{split}` in `data.source`; `values` |

Without `method`, `by` chooses `group` and the older key `by_time` chooses `time`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from components._core.project.config_types import Real, Section

SplitMethod = Literal["hash", "group", "time", "stratified", "given"]
SplitName = Literal["train", "eval", "test"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _allow_one_text(schema: dict[str, Any]) -> None:
    """Allow one text besides a list of texts in the JSON Schema."""
    listed = {key: schema.pop(key) for key in ("type", "items")}
    schema["anyOf"] = [listed, {"type": "string"}]


def _allow_one_text_or_number(schema: dict[str, Any]) -> None:
    """Allow texts and whole numbers, one or a list of them, in the JSON Schema."""
    schema.clear()
    one = {"type": ["string", "integer"]}
    schema["anyOf"] = [{"type": "array", "items": one}, one]


def _as_texts(value: Any) -> Any:
    """Take one value for a list of one, and whole numbers for their text: `train: 0` names the cells that are 0."""
    listed = value if isinstance(value, list) else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in listed]


class Split(Section):
    """How rows are assigned to train, eval (early stopping, tuning) and test (judging)."""

    later: ClassVar[frozenset[str]] = frozenset({"method", "values"})

    method: Annotated[
        Literal["", SplitMethod],
        Field(
            description="How: `hash` (the row's features alone decide), `group` (rows with equal values in `by` stay together), "
            "`time` (the newest by the column in `by` are test), `stratified` (as hash, with the shares held in each class) or "
            "`given` (the column in `by` says it, or `{split}` in the source). Empty: `group` with `by`, `time` with `by_time`, else `hash`."
        ),
    ] = ""
    train: Annotated[Real, Field(gt=0, lt=1, description="Share of the rows to train on.")] = 0.8
    eval: Annotated[Real, Field(gt=0, lt=1, description="Share of the rows for early stopping and tuning.")] = 0.1
    test: Annotated[
        Real, Field(gt=0, lt=1, description="Share of the rows to evaluate on; never seen in training.")
    ] = 0.1
    by: Annotated[
        list[str],
        BeforeValidator(_as_list),
        Field(
            description="The columns that `method` goes by. Without `method`: columns whose values are hashed, so that rows with "
            "equal values go to the same split; empty: the features.",
            json_schema_extra=_allow_one_text,
        ),
    ] = []
    by_time: Annotated[
        str,
        Field(
            description="Column with the time of a row, as `by` of `method: time`: the newest rows are test, those before them eval, "
            "the oldest train, by their shares. A number, or ISO text such as `2013-05-01` or `2013-05-01T10:00`."
        ),
    ] = ""
    values: Annotated[
        dict[
            SplitName,
            Annotated[list[str], BeforeValidator(_as_texts), Field(json_schema_extra=_allow_one_text_or_number)],
        ],
        Field(
            description="Of `method: given`: the texts that name each split, as in `{train: [A, B], test: C}`. Default: train and "
            "training; eval, validation, valid, val and dev; test and testing, in any case."
        ),
    ] = {}

    @property
    def kind(self) -> SplitMethod:
        """The method, also where only its columns are given."""
        return self.method or ("group" if self.by else "time" if self.by_time else "hash")

    @property
    def time_column(self) -> str:
        """The column of a split by time; empty: it is not one."""
        return (self.by_time or self.by[0]) if self.kind == "time" else ""

    @property
    def hashed_columns(self) -> list[str]:
        """The columns that keep rows together; empty: the features do."""
        return self.by if self.kind == "group" else []

    @property
    def column_path(self) -> str:
        """Path in project.yaml of the columns, for messages."""
        return "data.split.by_time" if self.by_time else "data.split.by"

    @model_validator(mode="after")
    def _columns_fit_the_method(self) -> Split:
        if self.by and self.by_time:
            raise ValueError("give by or by_time, not both")
        if self.by_time and self.kind != "time":
            raise ValueError(f"by_time is of method: time; method: {self.kind} takes {_columns_of(self.kind)}")
        if self.kind in ("hash", "stratified") and self.by:
            raise ValueError(f"method: {self.kind} takes no columns; remove by, or set method: group")
        if self.kind == "group" and not self.by:
            raise ValueError("method: group needs by, the columns whose equal rows stay together")
        if self.kind == "time" and not self.by_time and len(self.by) != 1:
            raise ValueError(f"method: time needs one column in by, found {len(self.by)}")
        if self.kind == "given" and len(self.by) > 1:
            raise ValueError(f"method: given takes one column in by, found {len(self.by)}")
        return self

    @model_validator(mode="after")
    def _values_name_different_splits(self) -> Split:
        if self.values and self.kind != "given":
            raise ValueError(f"values are of method: given; method: {self.kind} takes {_columns_of(self.kind)}")
        texts = [text.strip().casefold() for listed in self.values.values() for text in listed]
        if twice := sorted({text for text in texts if texts.count(text) > 1}):
            raise ValueError(f"values has {twice[0]!r} twice; a text names one split")
        return self

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Split:
        total = self.train + self.eval + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + eval + test must be 1, found {total:g}")
        return self


def _columns_of(kind: SplitMethod) -> str:
    return "by" if kind in ("group", "time", "given") else "no columns"


def goes_by_features(split: dict[str, Any]) -> bool:
    """Return whether a raw section says nothing of how, or that the features decide."""
    return split.get("method", "") in ("", "hash") and not split.get("by") and not split.get("by_time")
