"""What a fit in epochs does in every framework: when it ends, what is kept of an epoch, and which loss is an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from components._core.errors import ConfigError, ModelError
from components._core.project.config_types import Hyperparameter
from components._core.project.train_config import Train
from components._frameworks.contract import Array, Progress

LEARNING_RATE = "learning_rate"
"""The hyperparameter of an optimizer that build_model does not choose."""
_DEFAULT_LEARNING_RATE = 0.001


def is_finished(progress: Progress, settings: Train) -> bool:
    """Whether a fit has done all its epochs or steps, or did not improve for as many epochs as it has patience."""
    done = len(progress.epochs)
    out_of_patience = bool(settings.patience) and done - 1 - progress.best_epoch >= settings.patience and done > 0
    out_of_steps = bool(settings.steps) and progress.steps >= settings.steps
    return done >= settings.epochs or out_of_patience or out_of_steps


def epoch_order(seed: int, epoch: int) -> np.random.Generator:
    """Return the generator that shuffles the rows of an epoch, the same whether or not the fit was interrupted before it."""
    return np.random.Generator(np.random.PCG64([seed, epoch]))


def record_epoch(progress: Progress, measured: dict[str, float], weights: Callable[[], list[Array]]) -> None:
    """Add an epoch, and keep the model's weights if its eval loss is the lowest so far.

    Args:
        progress: The fit; `variables` stay as they are.
        measured: `loss`, `eval_loss` and metrics of the epoch.
        weights: Returns copies of the model's weights.

    Raises:
        ModelError: When a loss is NaN or infinite.
    """
    number = len(progress.epochs)
    for name in ("loss", "eval_loss"):
        if not math.isfinite(measured[name]):
            raise ModelError(
                f"the {name.replace('_', ' ')} of epoch {number + 1} is {measured[name]}",
                remedy="lower learning_rate, or look for unbounded numbers in build_model",
            )
    progress.epochs.append(measured)
    if progress.best_epoch < 0 or measured["eval_loss"] < progress.epochs[progress.best_epoch]["eval_loss"]:
        progress.best_epoch = number
        progress.best = weights()


def read_learning_rate(hyperparameters: Mapping[str, Hyperparameter]) -> float:
    """Return the learning rate of an optimizer that build_model does not choose.

    Raises:
        ConfigError: When it is not a number, or below 0.
    """
    value = hyperparameters.get(LEARNING_RATE, _DEFAULT_LEARNING_RATE)
    if isinstance(value, bool | str) or value < 0:
        place = f"train.hyperparameters.{LEARNING_RATE}, or its tune.space"
        raise ConfigError(f"found {value!r}; must be a number, not below 0", where=place, remedy="correct project.yaml")
    return float(value)
