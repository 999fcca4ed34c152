"""Fit a module: seeded, with early stopping on the eval rows, one epoch after another, so it can go on where it was stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from components._core.errors import ModelError, UserCodeError
from components._core.project.train_config import Train
from components._core.stage.user_code import own_frames
from components._core.types.tasks.contract import Task
from components._frameworks.contract import AfterEpoch, Array, ModelCode, Progress, TrainingData
from components._frameworks.epochs import epoch_order, is_finished, record_epoch
from components._frameworks.torch.build_model import Built
from components._frameworks.torch.losses import activate, row_losses
from components._frameworks.torch.repeatable import seed_generators
from components._frameworks.torch.saved_state import from_arrays, to_arrays
from components._frameworks.torch.tensors import Inputs, as_inputs, as_tensor
from components._frameworks.transformed_rows import Batch, Column

STEP = "training_step"
_MOST_SCORES = 20_000_000
"""Scores of training rows, at most, of which an epoch's training metrics are calculated: 80 MB."""


def choose_device() -> torch.device:
    """The GPU where PyTorch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Fit:
    """The fit of one module.

    Args:
        built: The module, its optimizer and scheduler.
        code: Where it comes from, for messages.
        columns: The features.
        task: The project's task.
        units: Numbers that the module gives per row.
        class_weights: Weight of a row in both losses, by the index of its class; None: each row counts the same.
    """

    def __init__(
        self,
        built: Built,
        code: ModelCode,
        columns: tuple[Column, ...],
        task: Task,
        units: int,
        class_weights: Array | None,
    ) -> None:
        self._device = choose_device()
        self._module, self._optimizer, self._scheduler = built.module, built.optimizer, built.scheduler
        self._module.to(self._device)
        self._code, self._columns, self._task, self._units = code, columns, task, units
        self._class_weights = None if class_weights is None else as_tensor(class_weights).to(self._device)
        self._step: Any = getattr(built.module, STEP, None)
        parts = built.module.modules()
        self._fewest_rows = 2 if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in parts) else 1

    def run(
        self, data: TrainingData, settings: Train, progress: Progress | None, after_epoch: AfterEpoch | None
    ) -> Progress:
        """Fit the module and leave the weights of its best epoch in it, on the CPU; arguments and errors as in the contract."""
        progress = progress or Progress()
        if progress.variables:
            self._restore(progress.variables)
        while not is_finished(progress, settings):
            with self._report_failures(len(progress.epochs)):
                measured = self._train(data, settings, progress) | self._judge(data)
            record_epoch(progress, measured, lambda: to_arrays(self._module.state_dict()))
            with self._report_failures(len(progress.epochs) - 1):
                self._step_scheduler(measured["eval_loss"])
            progress.variables = to_arrays(self._state())
            if after_epoch and after_epoch(progress):
                break
        self._module.load_state_dict(from_arrays(progress.best))
        self._module.cpu().eval()
        return progress

    def _train(self, data: TrainingData, settings: Train, progress: Progress) -> dict[str, float]:
        """Take the steps of an epoch; returns the mean loss, and metrics of the scores while the weights changed."""
        epoch = len(progress.epochs)
        seed_generators(settings.seed, epoch)
        self._module.train()
        total, seen, kept = torch.zeros((), device=self._device), 0, _Kept(self._task)
        for batch in data.train.batches(settings.batch_size, epoch_order(settings.seed, epoch)):
            rows = len(batch[1])
            if settings.steps and progress.steps >= settings.steps:
                break
            if rows < self._fewest_rows:
                continue
            self._optimizer.zero_grad(set_to_none=True)
            loss, outputs = self._loss(batch)
            loss.backward()
            self._optimizer.step()
            progress.steps += 1
            total, seen = total + loss.detach() * rows, seen + rows
            kept.add(outputs, batch[1])
        if not seen:
            remedy = "raise train.batch_size, or remove the normalisation"
            raise ModelError("no batch has the two rows that batch normalisation needs", remedy=remedy)
        return _measured(float(total) / seen, kept)

    def _judge(self, data: TrainingData) -> dict[str, float]:
        """Return loss and metrics of the eval rows; the loss is weighted, too: the epoch is kept that is best by what was minimised."""
        self._module.eval()
        total, seen, kept = torch.zeros((), device=self._device), 0, _Kept(self._task)
        with torch.no_grad():
            for batch in data.held_out.batches(data.held_out.call_rows):
                rows = len(batch[1])
                loss, outputs = self._loss(batch)
                total, seen = total + loss * rows, seen + rows
                kept.add(self._outputs(self._inputs(batch)) if outputs is None else outputs, batch[1])
        return {f"eval_{name}": value for name, value in _measured(float(total) / seen, kept).items()}

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the loss of a batch, and what the module gave, [rows, units]; None where a step of its own has called it."""
        inputs, labels = self._inputs(batch), as_tensor(batch[1]).to(self._device)
        weights = None if self._class_weights is None else self._class_weights[labels.long()]
        if self._step is not None:
            return self._own_loss(
                inputs, labels, torch.ones(len(labels), device=self._device) if weights is None else weights
            ), None
        outputs = self._outputs(inputs)
        losses = row_losses(self._task, outputs, labels)
        return (losses if weights is None else losses * weights).mean(), outputs

    def _own_loss(self, inputs: Inputs, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        loss = self._step(inputs, labels, weights)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            found = f"a tensor {list(loss.shape)}" if isinstance(loss, torch.Tensor) else f"a {type(loss).__name__}"
            message = f"{STEP} returned {found}; must be the mean loss of the batch, a tensor with one number"
            raise UserCodeError(message, where=self._code.file, remedy="return it, as in `return loss.mean()`")
        return loss.reshape(())

    def _inputs(self, batch: Batch) -> Inputs:
        return as_inputs(batch[0], self._columns, self._device)

    def _outputs(self, inputs: Inputs) -> torch.Tensor:
        outputs: torch.Tensor = self._module(inputs).float().reshape(-1, self._units)
        return outputs

    def _step_scheduler(self, eval_loss: float) -> None:
        if isinstance(self._scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._scheduler.step(eval_loss)
        elif self._scheduler is not None:
            self._scheduler.step()

    def _state(self) -> dict[str, Any]:
        scheduler = None if self._scheduler is None else self._scheduler.state_dict()
        return {
            "module": self._module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": scheduler,
        }

    def _restore(self, variables: list[Array]) -> None:
        state = from_arrays(variables)
        self._module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._scheduler is not None:
            self._scheduler.load_state_dict(state["scheduler"])

    @contextmanager
    def _report_failures(self, epoch: int) -> Iterator[None]:
        """Turn what the module or PyTorch raises while fitting into a ModelError: a search goes on without such a trial."""
        try:
            with own_frames(self._code.folder, f"the model, in epoch {epoch + 1},"):
                yield
        except UserCodeError as error:
            remedy = error.remedy if error.where else "look at build_model; if memory ran out, lower train.batch_size"
            raise ModelError(error.message, where=error.where, remedy=remedy) from error


class _Kept:
    """Scores and labels of an epoch's rows, up to a bound, for its metrics.

    Args:
        task: The project's task.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._scores: list[torch.Tensor] = []
        self._labels: list[NDArray[Any]] = []
        self._count = 0

    def add(self, outputs: torch.Tensor | None, labels: NDArray[Any]) -> None:
        """Keep what the module gave for a batch, [rows, units]; None: it is not known."""
        if outputs is None or self._count >= _MOST_SCORES:
            return
        self._scores.append(activate(self._task, outputs.detach()))
        self._labels.append(labels)
        self._count += outputs.numel()

    def measure(self) -> dict[str, float]:
        """Return the task's training metrics; those that the rows do not define are left out."""
        if not self._scores:
            return {}
        scores = torch.cat(self._scores).cpu().numpy().astype(np.float64)
        found = self._task.measure(np.concatenate(self._labels), scores if self._task.scores_by_class else scores[:, 0])
        return {name: found[name] for name in self._task.training_metrics if math.isfinite(found[name])}


def _measured(loss: float, kept: _Kept) -> dict[str, float]:
    """Return a loss and the metrics beside it; a loss that is not a number is an error, and has none."""
    return {"loss": loss, **(kept.measure() if math.isfinite(loss) else {})}
