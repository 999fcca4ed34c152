"""The project's build_model: what it is given, what it must give back, and the hooks that its module may have.

    build_model(inputs, transform, hyperparameters) -> nn.Module

    module.forward(inputs)                           scores before sigmoid or softmax (logits), or predictions
    module.configure_optimizers()                    optional: an optimizer, or an optimizer and a scheduler of its learning rate
    module.training_step(inputs, labels, weights)    optional: the loss of a batch, for training and for the eval loss

The optional ones have the names that PyTorch Lightning gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from components._core.errors import ModelError, UserCodeError
from components._core.project.config_types import Hyperparameter
from components._core.stage.user_code import own_frames
from components._core.types.tasks.contract import Task
from components._frameworks.contract import Layer, ModelCode, TrainingData
from components._frameworks.epochs import read_learning_rate
from components._frameworks.torch.losses import is_activated
from components._frameworks.torch.onnx_export import export_module, find_unused
from components._frameworks.torch.repeatable import seed_generators
from components._frameworks.torch.structure import call_and_describe
from components._frameworks.torch.tensors import as_inputs, check_columns

OPTIMIZERS = "configure_optimizers"
_FIRST_ROWS = 256


@dataclass
class Built:
    """What build_model has made.

    Attributes:
        module: The module, on the CPU.
        optimizer: Its optimizer.
        scheduler: The scheduler of the learning rate; None: the rate stays.
        layers: The module's parts.
        unused: The features that the module does not use.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: Any
    layers: list[Layer]
    unused: list[str]


def build(
    function: Callable[..., Any],
    code: ModelCode,
    data: TrainingData,
    transform: Any,
    hyperparameters: Mapping[str, Hyperparameter],
    *,
    task: Task,
    classes: list[str],
    seed: int,
) -> Built:
    """Call build_model, and try what it returns on the first rows: before time is spent on a fit, the module is also exported once.

    Args:
        function: The project's build_model.
        code: Where it comes from, for messages.
        data: The rows; build_model gets the first ones as tensors.
        transform: The TFTransformOutput, for sizes of vocabularies; None without a preprocessing_fn.
        hyperparameters: The values for this model; build_model also gets `classes`, their number, if there are any.
        task: The project's task.
        classes: The label's classes; empty for a task without classes.
        seed: Of the initial weights.

    Raises:
        UserCodeError: When build_model or its module raises, it returns no module, or ONNX lacks an operation of the module.
        ModelError: When the module's output has the wrong shape, or is not finite.
        ConfigError: When a column is text, or the learning rate cannot be one.
    """
    columns = data.train.columns
    check_columns(columns)
    seed_generators(seed)
    given = {**hyperparameters, **({"classes": len(classes)} if classes else {})}
    rows, _ = data.train.head(_FIRST_ROWS)
    inputs = as_inputs(rows, columns, torch.device("cpu"))
    with own_frames(code.folder, "build_model"):
        module = function(dict(inputs), transform, given)
    _check_kind(module, code.file)
    with own_frames(code.folder, "the module of build_model"):
        outputs, layers = call_and_describe(module.eval(), dict(inputs))
    _check_outputs(outputs, len(next(iter(inputs.values()))), task, classes, code.file)
    exported = export_module(module, columns, rows, task, classes, code)
    optimizer, scheduler = _make_optimizer(module, hyperparameters, code)
    return Built(module, optimizer, scheduler, layers, find_unused(exported, columns))


def _check_kind(module: Any, file: str) -> None:
    if not isinstance(module, nn.Module):
        found = "nothing" if module is None else f"a {type(module).__name__}"
        remedy = "return a torch.nn.Module; an optimizer or a training step of its own are methods of it, see docs/frameworks.md"
        raise UserCodeError(f"build_model returned {found}", where=file, remedy=remedy)


def _check_outputs(outputs: Any, rows: int, task: Task, classes: list[str], file: str) -> None:
    units = task.units(classes)
    if not isinstance(outputs, torch.Tensor):
        message = f"the module of build_model gives a {type(outputs).__name__}, not a tensor"
        raise ModelError(message, where=file, remedy=f"return one tensor [rows, {units}] from forward")
    if tuple(outputs.shape) not in ((rows, units), (rows,) if units == 1 else ()):
        found = ", ".join("rows" if size == rows and not axis else str(size) for axis, size in enumerate(outputs.shape))
        message = f"the module of build_model gives [{found}], expected is [rows, {units}] for {task.name}"
        raise ModelError(message, where=file, remedy=f"end it with torch.nn.Linear(..., {units})")
    if not torch.isfinite(outputs).all():
        remedy = "look for missing values (NaN) that reach it, and at forward"
        raise ModelError("the module of build_model gives NaN or infinity before training", where=file, remedy=remedy)
    if is_activated(outputs, task):
        message = f"the module of build_model ends in {task.activation}, which Naru adds behind it"
        remedy = f"return what goes into {task.activation} (logits), as the losses of PyTorch take it"
        raise ModelError(message, where=file, remedy=remedy)


def _make_optimizer(
    module: nn.Module, hyperparameters: Mapping[str, Hyperparameter], code: ModelCode
) -> tuple[torch.optim.Optimizer, Any]:
    """Return the module's optimizer and scheduler, by default Adam and none."""
    if not any(parameter.requires_grad for parameter in module.parameters()):
        message = "the module of build_model has no parameters to train"
        raise UserCodeError(message, where=code.file, remedy="make its layers attributes of it in __init__")
    configure = getattr(module, OPTIMIZERS, None)
    if configure is None:
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        return torch.optim.Adam(trained, lr=read_learning_rate(hyperparameters)), None
    with own_frames(code.folder, OPTIMIZERS):
        returned = configure()
    optimizer, scheduler = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, None)
    is_scheduler = scheduler is None or (hasattr(scheduler, "step") and hasattr(scheduler, "state_dict"))
    if not isinstance(optimizer, torch.optim.Optimizer) or not is_scheduler:
        message = f"{OPTIMIZERS} returned a {type(returned).__name__}"
        remedy = "return an optimizer of torch.optim, or it and a scheduler of torch.optim.lr_scheduler"
        raise UserCodeError(message, where=code.file, remedy=remedy)
    return optimizer, scheduler
