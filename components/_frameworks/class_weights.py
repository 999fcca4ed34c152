"""Weights of the classes in the loss, from `train.class_weight`: so that a rare class counts as much as the person wants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ConfigError
from components._core.project.train_config import Train
from components._core.suggestions import listed, suggest
from components._frameworks.transformed_rows import TransformedRows

_KEY = "train.class_weight"
Weights = NDArray[np.float32]


def weigh_classes(settings: Train, classes: Sequence[str], train: TransformedRows) -> Weights | None:
    """Return the weight of a row by the index of its class, shape [classes]; None when the project sets none.

    `balanced` gives each class the same total over the training rows, and the training rows a mean weight of 1:
    rows / (classes with rows * rows of the class), as scikit-learn has it. Classes that a mapping does not name have weight 1.

    Args:
        settings: The project's `train`.
        classes: The label's classes.
        train: The rows to fit.

    Raises:
        ConfigError: When the mapping names a class that the label does not have.
    """
    wanted = settings.class_weight
    if wanted is None:
        return None
    if isinstance(wanted, str):
        rows = train.count_labels(len(classes))
        present = max(np.count_nonzero(rows), 1)
        return np.where(rows > 0, rows.sum() / (present * np.maximum(rows, 1)), 1.0).astype(np.float32)
    for name in wanted:
        if name not in classes:
            message = f"{name!r} is not a class of the label; {suggest(name, classes)}"
            raise ConfigError(message, where=_KEY, remedy=f"name classes of the label: {listed(classes)}")
    return np.array([wanted.get(name, 1.0) for name in classes], dtype=np.float32)
