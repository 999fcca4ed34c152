"""How much a fitted module goes by each feature: the slope of its score, times the way from one row's value to another's.

A number's slope is its gradient. An index has none, but the embedding that stands for it has: the way is then from one embedding to another. The
sum over both says by how much the score would change, to first order, if a row had the feature of another row.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from components._frameworks.contract import StructureImportance
from components._frameworks.torch.tensors import Inputs

METHOD = "mean slope of the score, times the way to another row's value"
_SEED = 0


def measure_slopes(
    module: nn.Module, inputs: Inputs, unused: Collection[str], *, raw: bool
) -> StructureImportance | None:
    """Measure the features of some rows.

    Args:
        module: The module, in the mode of evaluation.
        inputs: The rows.
        unused: Features that the module does not use.
        raw: Whether they are the model's features, and not what a preprocessing_fn makes of these.

    Returns:
        None when the module takes an index by something other than an nn.Embedding, so that features could not be compared, or
        when PyTorch cannot follow it backwards.
    """
    leaves = {name: each.clone().requires_grad_(each.is_floating_point()) for name, each in inputs.items()}
    given = {name: each.clone() for name, each in leaves.items()}  # PyTorch refuses to write into leaves
    embedded: list[tuple[Any, torch.Tensor]] = []

    def note(_: nn.Module, taken: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        followed = output if output.requires_grad else output.requires_grad_()
        embedded.append((taken[0], followed))
        return followed

    hooks = [part.register_forward_hook(note) for part in module.modules() if isinstance(part, nn.Embedding)]
    try:
        outputs = module(dict(given))
    finally:
        for hook in hooks:
            hook.remove()
    owners = {name: [output for taken, output in embedded if taken is each] for name, each in given.items()}
    ways = {name: [leaves[name]] if each.is_floating_point() else owners[name] for name, each in given.items()}
    if any(not parts and name not in unused for name, parts in ways.items()):
        return None
    rows = len(outputs)
    score = outputs.reshape(rows, -1).amax(dim=1).sum()  # the logit of the class that a row is called
    followed = [part for parts in ways.values() for part in parts]
    try:
        slopes = iter(torch.autograd.grad(score, followed, allow_unused=True))
    except RuntimeError:  # of a module that writes over what its gradients need, in the mode of evaluation alone
        return None
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(_SEED))
    values = {name: sum(_mean_way(part, next(slopes), order) for part in parts) for name, parts in ways.items()}
    return StructureImportance(METHOD, {name: float(value) for name, value in values.items()}, raw)


def _mean_way(part: torch.Tensor, slope: torch.Tensor | None, order: torch.Tensor) -> float:
    """Return the mean change of the score, to first order, from each row's value to that of another; 0 where there is no slope."""
    if slope is None:
        return 0.0
    change = slope * (part[order] - part)
    return float(torch.nan_to_num(change).detach().reshape(len(part), -1).sum(dim=1).abs().mean())
