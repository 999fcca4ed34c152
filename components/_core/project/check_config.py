"""The sections of the project file about rows: what is expected of them (`data.checks`), and which are left out (`data.rows`)."""

from __future__ import annotations

import re
import warnings
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, field_validator, model_validator

from components._core.project.config_types import Section

CheckSeverity = Literal["fail", "warn"]
Value = StrictBool | StrictInt | StrictFloat | str
Limit = StrictInt | StrictFloat | str
Operator = Literal["<", "<=", "==", ">=", ">"]
_OPERATORS: tuple[Operator, ...] = ("<", "<=", "==", ">=", ">")


def _parse_share(value: Any) -> Any:
    """Take `1%` for 0.01."""
    if isinstance(value, bool):
        raise ValueError(f"found {str(value).lower()}; must be a share, as in 1% or 0.01")
    if isinstance(value, str):
        number = value.strip().removesuffix("%").strip()
        if value.strip().endswith("%") and re.fullmatch(r"[0-9]+(\.[0-9]+)?", number):
            return float(Decimal(number) / 100)
        raise ValueError(f"found {value!r}; must be a share, as in 1% or 0.01")
    return value


def _allow_percent(schema: dict[str, Any]) -> None:
    """Allow a text such as `1%` in the JSON Schema."""
    number = {key: schema.pop(key) for key in ("type", "minimum", "maximum") if key in schema}
    schema["anyOf"] = [number, {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$"}]


Share = Annotated[float, BeforeValidator(_parse_share), Field(ge=0, le=1, json_schema_extra=_allow_percent)]
"""A share of the rows, 0 to 1."""
_SEVERITY = "`fail` blocks the run, `warn` only warns."
_ALLOW = "Share of the rows that may break it, as in `0.1%`."


def _check_pattern(pattern: str) -> str:
    """Refuse what is not a regular expression; RE2 reads some that Python does not, such as those with classes of letters."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of `[[:alpha:]]`, which RE2 reads
            re.compile(pattern)
    except re.error as error:
        if not _is_re2(pattern):
            raise ValueError(f"found {pattern!r}, which is not a regular expression: {error}") from None
    return pattern


def _is_re2(pattern: str) -> bool:
    import pyarrow as pa  # slow to import, and rarely needed
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""], pa.string()), pattern)
    except pa.ArrowInvalid:
        return False
    return True


class ColumnCheck(Section):
    """What is expected of a column's values. A missing value breaks only `missing`."""

    min: Annotated[
        Limit | None, Field(description="Smallest allowed value: a number, or of dates and texts a text.")
    ] = None
    max: Annotated[Limit | None, Field(description="Largest allowed value.")] = None
    missing: Annotated[
        Share | None, Field(description="Largest allowed share of missing values, as in `1%`; 0: none may be missing.")
    ] = None
    one_of: Annotated[list[Value] | None, Field(alias="in", min_length=1, description="The allowed values.")] = None
    pattern: Annotated[
        str | None,
        Field(min_length=1, description="Regular expression (RE2) that each text must match as a whole."),
    ] = None
    unique: Annotated[StrictBool, Field(description="Whether each value may occur once only.")] = False
    allow: Annotated[Share, Field(description=f"{_ALLOW} `missing` has its own.")] = 0.0
    severity: Annotated[CheckSeverity, Field(description=_SEVERITY)] = "fail"

    @field_validator("pattern")
    @classmethod
    def _pattern_is_valid(cls, value: str | None) -> str | None:
        return None if value is None else _check_pattern(value)

    @model_validator(mode="after")
    def _expects_something(self) -> ColumnCheck:
        given = (self.min, self.max, self.missing, self.one_of, self.pattern)
        if all(value is None for value in given) and not self.unique:
            raise ValueError("expects nothing: give min, max, missing, in, pattern or unique")
        check_limits(self.min, self.max, "min", "max")
        return self


def check_limits(low: Limit | None, high: Limit | None, low_name: str, high_name: str) -> None:
    """Refuse limits that no value is between.

    Raises:
        ValueError: With both.
    """
    if low is None or high is None:
        return
    if isinstance(low, str) != isinstance(high, str):
        raise ValueError(f"{low_name} is {low!r} and {high_name} is {high!r}: give two numbers, or two texts")
    if low > high:  # type: ignore[operator]
        raise ValueError(f"{low_name} ({low}) must not be above {high_name} ({high})")


class RowCount(Section):
    """How many rows are expected."""

    min: Annotated[StrictInt | None, Field(ge=0, description="Fewest rows.")] = None
    max: Annotated[StrictInt | None, Field(ge=0, description="Most rows.")] = None
    severity: Annotated[CheckSeverity, Field(description=_SEVERITY)] = "fail"

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> RowCount:
        check_limits(self.min, self.max, "min", "max")
        return self


class UniqueRows(Section):
    """Columns whose values together occur once only."""

    columns: Annotated[list[str], Field(min_length=1, description="The columns.")]
    allow: Annotated[Share, Field(description=_ALLOW)] = 0.0
    severity: Annotated[CheckSeverity, Field(description=_SEVERITY)] = "fail"


class Order(Section):
    """How the values of two columns of a row compare."""

    rule: Annotated[
        str,
        Field(description="Two columns with <, <=, ==, >= or > between them, and blanks around it: `start <= end`."),
    ]
    allow: Annotated[Share, Field(description=_ALLOW)] = 0.0
    severity: Annotated[CheckSeverity, Field(description=_SEVERITY)] = "fail"

    @field_validator("rule")
    @classmethod
    def _has_two_columns(cls, value: str) -> str:
        _split_rule(value)
        return value

    @property
    def parts(self) -> tuple[str, Operator, str]:
        """The first column, the operator and the second column."""
        return _split_rule(self.rule)


def _split_rule(rule: str) -> tuple[str, Operator, str]:
    for operator in _OPERATORS:
        one, found, other = rule.partition(f" {operator} ")
        if found and one.strip() and other.strip():
            return one.strip(), operator, other.strip()
    raise ValueError(f"found {rule!r}; allowed: two columns with {' or '.join(_OPERATORS)} between them, as in a <= b")


def _as_unique_rows(value: Any) -> Any:
    """Take `[a, b]` for one key of two columns, and `[[a, b], [c]]` for two keys."""
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise ValueError(f"found {value!r}; must be a list of columns, as in [id, day]")
    if value and all(isinstance(item, str) for item in value):
        return [{"columns": value}]
    return [{"columns": item} if isinstance(item, list) else item for item in value]


def _as_orders(value: Any) -> Any:
    """Take a text for a rule, and one rule for a list of one."""
    listed = value if isinstance(value, list) else [value]
    return [{"rule": item} if isinstance(item, str) else item for item in listed]


def _allow_anything(schema: dict[str, Any]) -> None:
    """Allow the short forms in the JSON Schema: a text, a list of texts, a list of such lists."""
    listed = {key: schema.pop(key) for key in ("type", "items")}
    texts = {"type": "array", "items": {"type": "string"}}
    schema["anyOf"] = [listed, listed["items"], {"type": "string"}, texts, {"type": "array", "items": texts}]


class Checks(Section):
    """What is expected of the table; validate checks it in each run, and `naru data check` alone."""

    columns: Annotated[dict[str, ColumnCheck], Field(description="What is expected of a column, by column.")] = {}
    rows: Annotated[RowCount, Field(description="How many rows are expected.")] = RowCount()
    unique: Annotated[
        list[UniqueRows],
        BeforeValidator(_as_unique_rows),
        Field(
            description="Columns whose values together occur once only, as in `[id, day]`; a list of such lists for several keys.",
            json_schema_extra=_allow_anything,
        ),
    ] = []
    order: Annotated[
        list[Order],
        BeforeValidator(_as_orders),
        Field(
            description="How two columns of a row compare, as in `start <= end`; one or a list.",
            json_schema_extra=_allow_anything,
        ),
    ] = []

    @property
    def named_columns(self) -> dict[str, list[str]]:
        """The columns that it names, by path in project.yaml."""
        return {
            "data.checks.columns": [*self.columns],
            "data.checks.unique": [name for key in self.unique for name in key.columns],
            "data.checks.order": [name for order in self.order for name in (order.parts[0], order.parts[2])],
        }


_CONDITIONS = ("below", "above", "missing", "in", "pattern")


class DropRule(Section):
    """Rows to leave out: those in which a column meets one condition. A missing value meets `missing` only."""

    column: Annotated[str, Field(min_length=1, description="The column.")]
    below: Annotated[Limit | None, Field(description="Rows with a smaller value.")] = None
    above: Annotated[Limit | None, Field(description="Rows with a larger value.")] = None
    missing: Annotated[StrictBool, Field(description="Rows without a value.")] = False
    one_of: Annotated[
        list[Value] | None, Field(alias="in", min_length=1, description="Rows with one of these values.")
    ] = None
    pattern: Annotated[
        str | None, Field(min_length=1, description="Rows whose text matches this regular expression (RE2) as a whole.")
    ] = None

    @field_validator("pattern")
    @classmethod
    def _pattern_is_valid(cls, value: str | None) -> str | None:
        return None if value is None else _check_pattern(value)

    @model_validator(mode="after")
    def _has_one_condition(self) -> DropRule:
        given = (self.below, self.above, self.missing or None, self.one_of, self.pattern)
        if (count := sum(value is not None for value in given)) != 1:
            raise ValueError(f"has {count} conditions; give one of {', '.join(_CONDITIONS)}, and a rule for each other")
        check_limits(self.below, self.above, "below", "above")
        return self


def _as_dedupe(value: Any) -> Any:
    columns = [value] if isinstance(value, str) else value
    if isinstance(columns, bool) or (
        columns and isinstance(columns, list) and all(isinstance(name, str) for name in columns)
    ):
        return columns
    raise ValueError(f"found {value!r}; allowed: true, or a list of columns, as in [id]")


class RowRules(Section):
    """Rows that ingest leaves out, counted by rule. They never reach a split; at serving the rules do not apply."""

    dedupe: Annotated[
        bool | list[str],
        BeforeValidator(_as_dedupe),
        Field(
            description="Of equal rows keep the first: `true` compares all columns, a list of columns those; a row without a "
            "value in one of these is kept."
        ),
    ] = False
    drop: Annotated[
        list[DropRule], Field(description="Rules in their order; a row counts for the first that it meets.")
    ] = []

    @property
    def named_columns(self) -> dict[str, list[str]]:
        """The columns that it names, by path in project.yaml."""
        return {
            "data.rows.drop": [rule.column for rule in self.drop],
            "data.rows.dedupe": self.dedupe if isinstance(self.dedupe, list) else [],
        }
