"""Losses and scores of the tasks for what a module returns: scores before sigmoid or softmax (logits), or predictions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from components._core.types.tasks.contract import Task

_ROW_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "binary_crossentropy": lambda outputs, labels: functional.binary_cross_entropy_with_logits(
        outputs[:, 0], labels.to(outputs.dtype), reduction="none"
    ),
    "sparse_categorical_crossentropy": lambda outputs, labels: functional.cross_entropy(
        outputs, labels.long(), reduction="none"
    ),
    "mean_squared_error": lambda outputs, labels: functional.mse_loss(
        outputs[:, 0], labels.to(outputs.dtype), reduction="none"
    ),
}
"""The loss of each row, [rows], by the name of a task's loss."""
_ENDS = {"sigmoid": ("Sigmoid",), "softmax": ("Softmax", "LogSoftmax")}
"""Functions that a module must not end in, by the name of a task's activation. A logarithm of softmax does no harm, and no good."""
_VIEWS = ("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Flatten", "Alias")


def row_losses(task: Task, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the loss of each row, [rows].

    Args:
        task: The project's task.
        outputs: What the module gives, [rows, units].
        labels: Class indices or numbers, [rows].
    """
    return _ROW_LOSSES[task.loss](outputs, labels)


def activate(task: Task, outputs: torch.Tensor) -> torch.Tensor:
    """Return the task's scores, [rows, units]: probabilities, or the predictions themselves.

    Args:
        task: The project's task.
        outputs: What the module gives, [rows, units].
    """
    if task.activation is None:
        return outputs
    return torch.sigmoid(outputs) if task.activation == "sigmoid" else torch.softmax(outputs, dim=1)


def is_activated(outputs: torch.Tensor, task: Task) -> bool:
    """Whether a module ends in the activation that is added behind it, by the operation that made its output.

    Args:
        outputs: What the module gave, with its history for gradients.
        task: The project's task.
    """
    made_by = outputs.grad_fn
    while made_by is not None and _operation(made_by) in _VIEWS:
        made_by = made_by.next_functions[0][0]
    return made_by is not None and task.activation is not None and _operation(made_by) in _ENDS[task.activation]


def _operation(node: object) -> str:
    """Return the name of an operation of PyTorch's record for gradients, as in `SigmoidBackward0`."""
    return type(node).__name__.rstrip("0123456789").removesuffix("Backward")
