"""The kinds of model that Naru ships, by name: what `tune.models` chooses among, one line of registration each.

A kind makes an estimator that a framework of the table fits and exports, as that framework's `build_model` would; so a model of a kind is
served, explained and compared as any other, and its signature names that framework. Looking at a kind imports no library.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components._core.errors import ConfigError
from components._core.suggestions import suggest
from components._frameworks.contract import ModelCode
from components._frameworks.table import check_installed, find_framework

if TYPE_CHECKING:
    from components._core.project.config_types import Hyperparameter
    from components._core.project.tune_config import Space
    from components._core.types.tasks.contract import Task

PROJECT_KIND = "project"
"""The name in `tune.models` of the project's own build_model."""
ENSEMBLE_KIND = "ensemble"
"""The kind of an average of several models; a search makes it of the best ones and does not search over it."""
LINEAR, TREES, OWN_CODE, ENSEMBLE = 1, 2, 3, 4
"""Orders of simplicity: of two kinds that are equally good, the one with the lower order is chosen."""

FEW_ROWS = 10_000
"""Training rows below which one thread is faster: threads would wait for one another after steps of microseconds."""

Values = dict[str, "Hyperparameter"]


@dataclass(frozen=True)
class KindInput:
    """What a kind knows of the rows when it makes an estimator.

    Attributes:
        task: The project's task.
        prepared: Whether a preprocessing_fn made the columns, so that whole numbers are indices of categories.
        rows: Number of training rows.
    """

    task: Task
    prepared: bool
    rows: int

    @property
    def threads(self) -> int:
        """Threads of a fit, for libraries with a parameter for it: few rows are faster with one; -1: one for each core."""
        return 1 if self.rows < FEW_ROWS else -1

    @property
    def least_gain(self) -> float:
        """Gain in loss below which a round counts as none: a table without any noise would be fitted for ever."""
        return 1e-5 if self.task.has_classes else 0.0


class ModelKind(ABC):
    """A kind of model.

    Attributes:
        name: Its name in `tune.models`.
        framework: The framework that fits and exports its estimators.
        order: Its order of simplicity.
        title: What it is, for people.
        is_baseline: Whether it is tried in every search.
    """

    name: str
    framework: str
    order: int
    title: str
    is_baseline: bool = False

    @abstractmethod
    def portfolio(self, given: KindInput) -> list[Values]:
        """Return values that are known to be good on many tables, the best known first; a search tries them before others."""

    @abstractmethod
    def space(self, given: KindInput) -> dict[str, Space]:
        """Return the values among which a search goes on, by name; each name is in every entry of the portfolio."""

    @abstractmethod
    def build(self, values: Mapping[str, Hyperparameter], given: KindInput) -> Any:
        """Make an estimator that is not fitted. It stops early on the eval rows, unless the values say how many rounds it has."""

    def code(self, given: KindInput) -> ModelCode:
        """Return what a framework builds a model of the kind from."""
        return ModelCode(Path(self.name), f"the kind {self.name}", partial(_build, self, given))


def _build(kind: ModelKind, given: KindInput, values: Mapping[str, Hyperparameter]) -> Any:
    return kind.build(values, given)


_ENSEMBLE = "components._frameworks.sklearn.kinds.ensemble"
_MODULES: dict[str, str] = {}


def register_kind(name: str, module: str) -> None:
    """Add a kind.

    Args:
        name: Its name in `tune.models`.
        module: Dotted name of the module that defines `KIND`; it imports no library at its top.

    Raises:
        ValueError: When the name is taken.
    """
    if name in _MODULES or name in (PROJECT_KIND, ENSEMBLE_KIND):
        raise ValueError(f"duplicate kind {name!r}")
    _MODULES[name] = module


def known_kinds() -> list[str]:
    """The names in the table."""
    return list(_MODULES)


def baseline_kinds() -> list[ModelKind]:
    """Return the kinds that stand beside every search, and with `tune.baselines` beside the project's own model."""
    return [kind for kind in map(find_kind, known_kinds()) if kind.is_baseline]


def find_kind(name: str, where: str = "tune.models") -> ModelKind:
    """Return the kind of that name.

    Args:
        name: Its name.
        where: The place that names it, for the message.

    Raises:
        ConfigError: When there is no such kind.
    """
    if name == ENSEMBLE_KIND:
        return _load(_ENSEMBLE)
    if name not in _MODULES:
        names = [*_MODULES, PROJECT_KIND]
        message = f"unknown kind of model {name!r}; {suggest(name, names)}"
        raise ConfigError(message, where=where, remedy=f"allowed: {', '.join(names)}")
    return _load(_MODULES[name])


def _load(module: str) -> ModelKind:
    kind: ModelKind = importlib.import_module(module).KIND
    return kind


def is_installed(kind: ModelKind) -> bool:
    """Whether the packages of a kind's framework are installed here."""
    try:
        check_installed(find_framework(kind.framework), kind.name)
    except ConfigError:
        return False
    return True


register_kind("linear", "components._frameworks.sklearn.kinds.linear")
register_kind("boosted", "components._frameworks.sklearn.kinds.boosted")
register_kind("lightgbm", "components._frameworks.lightgbm.kind")
register_kind("xgboost", "components._frameworks.xgboost.kind")
register_kind("extra_trees", "components._frameworks.sklearn.kinds.extra_trees")
