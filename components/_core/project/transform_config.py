"""The section of the project file about what happens to columns in front of preprocessing_fn."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from components._core.project.config_types import Real, Section


def _check_value(value: Any) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float, str))):
        raise ValueError(f"found {value!r}; allowed: median, mean, a number or a text")
    return value


class ColumnRule(Section):
    """What is done to one column, first clip, then impute; in training and in serving, by the same graph."""

    clip: Annotated[
        tuple[Real, Real] | None,
        Field(
            description="Lowest and highest value of a number: values beyond become these. Missing values stay missing."
        ),
    ] = None
    impute: Annotated[
        float | str | None,
        BeforeValidator(_check_value),
        Field(
            description="What a missing value becomes: the `median` or `mean` of the training rows, after clip, or a value: a number in a "
            "column of numbers, a text in a column of texts."
        ),
    ] = None

    @model_validator(mode="after")
    def _does_something(self) -> ColumnRule:
        if self.clip is None and self.impute is None:
            raise ValueError("give clip, impute or both")
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip: the lowest value ({self.clip[0]:g}) must be below the highest ({self.clip[1]:g})")
        return self


class Drop(Section):
    """Columns that the model does not see, decided on the training rows by what they hold; a column at a bound is dropped."""

    missing: Annotated[
        Real | None,
        Field(gt=0, le=1, description="Share of missing values from which a column is dropped, as in 0.9."),
    ] = None
    variance: Annotated[
        Real | None,
        Field(
            ge=0,
            description="Variance of the known values up to which a column of numbers is dropped, in the square of its unit. 0: those with "
            "one value, and columns of texts with the same text in every row (a missing one is a text of its own).",
        ),
    ] = None
    correlation: Annotated[
        Real | None,
        Field(
            gt=0,
            le=1,
            description="Absolute correlation (Pearson) from which one of two columns of numbers is dropped: the one with more missing "
            "values, else the later one in the table.",
        ),
    ] = None

    @model_validator(mode="after")
    def _does_something(self) -> Drop:
        if self.missing is None and self.variance is None and self.correlation is None:
            raise ValueError("give missing, variance or correlation, or several of them")
        return self


def _check_components(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not is_count and not (isinstance(value, float) and 0 < value < 1):
        allowed = "a whole number of components from 1 on, or a share of the variance between 0 and 1, as in 0.95"
        raise ValueError(f"found {value!r}; allowed: {allowed}")
    return value


def _check_columns(value: Any) -> Any:
    if value == "numeric" or (isinstance(value, list) and value and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError(f"found {repr(value)[:80]}; allowed: numeric, or a list of columns of numbers")


def _check_name(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", value):
        allowed = "letters, digits and underscores, a letter first, 40 at most"
        raise ValueError(f"found {repr(value)[:80]}; allowed: {allowed}")
    return value


class Pca(Section):
    """Principal components of standardized columns of numbers, learned from the training rows."""

    columns: Annotated[
        Literal["numeric"] | list[str],
        BeforeValidator(_check_columns),
        Field(description="Columns of numbers, or `numeric`: all of them."),
    ]
    components: Annotated[
        int | float,
        BeforeValidator(_check_components),
        Field(
            description="Number of components, or the share of the columns' variance that they have at least, as in 0.95."
        ),
    ]
    name: Annotated[
        str,
        BeforeValidator(_check_name),
        Field(
            description="preprocessing_fn gets the components as `<name>_0`, `<name>_1` and so on, the one with the largest variance first.",
        ),
    ] = "pca"
    keep: Annotated[
        StrictBool, Field(description="Whether preprocessing_fn gets the columns as well, besides their components.")
    ] = True

    @property
    def named_columns(self) -> list[str]:
        """The columns that it names; none with `numeric`."""
        return self.columns if isinstance(self.columns, list) else []

    @model_validator(mode="after")
    def _components_fit_the_columns(self) -> Pca:
        if self.columns == "numeric":
            return self
        if twice := sorted({name for name in self.columns if self.columns.count(name) > 1}):
            raise ValueError(f"columns has {twice[0]!r} twice")
        if isinstance(self.components, int) and self.components > len(self.columns):
            raise ValueError(f"components is {self.components}, more than the columns ({len(self.columns)})")
        return self


class Transform(Section):
    """What happens to columns in front of preprocessing_fn: first drop, then clip and impute, then pca."""

    later: ClassVar[frozenset[str]] = frozenset({"drop", "pca"})

    drop: Annotated[
        Drop | None,
        Field(description="Columns to leave out by what the training rows hold, as in `{missing: 0.9, variance: 0}`."),
    ] = None
    columns: Annotated[
        dict[str, ColumnRule],
        Field(
            description="Rules by column, as in `fare: {clip: [0, 500], impute: median}`; others are left as they are."
        ),
    ] = {}
    pca: Annotated[
        Pca | None,
        Field(description="Principal components of columns, as in `{columns: numeric, components: 0.95}`."),
    ] = None

    @property
    def named_columns(self) -> dict[str, list[str]]:
        """The columns that it names, by path in project.yaml."""
        of_pca = self.pca.named_columns if self.pca else []
        return {"transform.columns": list(self.columns), "transform.pca.columns": of_pca}
