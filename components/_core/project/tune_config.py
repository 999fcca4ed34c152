"""The section of the project file about the search for hyperparameters."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, field_validator, model_validator

from components._core.project.config_types import AUTO, Hyperparameter, Real, Section, check_names
from components._core.types.default_framework import AUTO_FRAMEWORK


def search_all_kinds(raw: Any) -> Any:
    """Return a project, as read from YAML or JSON, with `tune.models: auto` where it has no model of its own and names no kinds."""
    if (
        not isinstance(raw, dict)
        or not isinstance(raw.get("code"), dict)
        or raw["code"].get("framework") != AUTO_FRAMEWORK
    ):
        return raw
    tune = raw.get("tune") or {}
    if not isinstance(tune, dict) or tune.get("models") is not None:
        return raw
    return {**raw, "tune": {**tune, "models": AUTO}}


class Space(Section):
    """The values that one hyperparameter may take: a range or a list."""

    low: Real | None = None
    high: Real | None = None
    log: Annotated[bool, Field(description="Search the range on a logarithmic scale.")] = False
    integer: Annotated[bool, Field(description="Whole numbers only.")] = False
    choices: Annotated[list[Hyperparameter], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _range_or_choices(self) -> Space:
        has_range = self.low is not None and self.high is not None
        if has_range == (self.choices is not None):
            raise ValueError("give either low and high, or choices")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("a logarithmic range needs low > 0")
        return self


def _check_models(value: Any) -> Any:
    return None if value is None else check_names(value, "kinds of model as in [linear, boosted]")


def _switch(value: Any) -> Any:
    """Take a truth value for on and off, too."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class Tune(Section):
    """The search for a model: its hyperparameters, and with `models` its kind."""

    later: ClassVar[frozenset[str]] = frozenset(
        {"models", "minutes", "prefer", "spaces", "workers", "warm_start", "ensemble", "folds", "baselines"}
    )

    trials: Annotated[
        StrictInt,
        Field(
            ge=0,
            description="Number of models to try; 0 uses the defaults. With `models`, how many are tried beyond the known good values of each kind.",
        ),
    ] = 0
    epochs: Annotated[
        StrictInt, Field(ge=1, description="Epochs of each trial; with `models` it is `train.epochs` instead.")
    ] = 2
    space: dict[str, Space] = {}
    models: Annotated[
        Literal["auto"] | list[str] | None,
        BeforeValidator(_check_models),
        Field(
            description="Kinds of model to search over: linear, boosted, lightgbm, xgboost, extra_trees, or project for the project's own "
            "build_model; `auto`: all that are installed. Linear and boosted are always tried. Absent: the project's own only."
        ),
    ] = None
    minutes: Annotated[
        Real | None,
        Field(
            gt=0,
            description="With `models`: minutes after which no other trial begins. Without `trials` as many are made as fit.",
        ),
    ] = None
    prefer: Annotated[
        Literal["simple", "best"],
        Field(
            description="With `models`: `simple` takes a simpler kind of model where the best one's gain over it may be chance, `best` the best one."
        ),
    ] = "simple"
    workers: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=64,
            description="With `models`: models that are fitted side by side, in threads of one process. Another number proposes other values.",
        ),
    ] = 1
    warm_start: Annotated[
        StrictBool,
        Field(
            description="With `models`: begin the trials with the best values of the project's last search on other rows."
        ),
    ] = True
    ensemble: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=10,
            description="With `models`: also try a weighted average of at most that many of the models, as one model; 0: do not.",
        ),
    ] = 0
    folds: Annotated[
        StrictInt | None,
        Field(
            ge=0,
            le=20,
            description="With `models`: folds of the train rows, each judged by a model of the other folds (cross-validation); 0: models are judged by "
            "the eval rows. Absent: 5 below 10,000 train rows that were split at random, without a model of the project's own; else 0.",
        ),
    ] = None
    baselines: Annotated[
        Literal["on", "off"],
        BeforeValidator(_switch),
        Field(
            description="Without `models`: `on` fits a linear model and boosted trees on at most 50,000 training rows beside the project's own model, "
            "and evaluate shows by how much it is better. Needs the extra sklearn. A search with `models` always has them."
        ),
    ] = "off"
    spaces: Annotated[
        dict[str, dict[str, Space]],
        Field(description="With `models`: other ranges than Naru's for hyperparameters of a kind, by kind and name."),
    ] = {}

    @model_validator(mode="after")
    def _trials_need_a_space(self) -> Tune:
        if self.trials and not self.space and self.models is None:
            raise ValueError(
                "trials need a space: name at least one hyperparameter under tune.space, or kinds in tune.models"
            )
        return self

    @model_validator(mode="after")
    def _a_search_has_its_baselines(self) -> Tune:
        if self.models is not None and self.baselines == "on":
            raise ValueError("baselines: a search over models always has them; remove it")
        return self

    @field_validator("ensemble")
    @classmethod
    def _an_average_has_two_members(cls, value: int) -> int:
        if value == 1:
            raise ValueError("found 1; must be 0, or at least 2 models to average")
        return value

    @field_validator("folds")
    @classmethod
    def _one_fold_is_none(cls, value: int | None) -> int | None:
        if value == 1:
            raise ValueError("found 1; must be 0 to judge by the eval rows, or at least 2")
        return value

    @model_validator(mode="after")
    def _settings_of_models_need_models(self) -> Tune:
        if self.models is None:
            given = next((name for name in ("minutes", "spaces") if getattr(self, name)), "")
            others = {"prefer": "simple", "workers": 1, "warm_start": True, "ensemble": 0, "folds": None}
            given = given or next((name for name, usual in others.items() if getattr(self, name) != usual), "")
            if given:
                raise ValueError(f"{given} has no meaning without models: name kinds in tune.models, or remove it")
        return self
