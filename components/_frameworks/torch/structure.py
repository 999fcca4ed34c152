"""A module's parts, for the training page."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from components._frameworks.contract import Layer
from components._frameworks.torch.tensors import Inputs


def call_and_describe(module: nn.Module, inputs: Inputs) -> tuple[Any, list[Layer]]:
    """Call a module; returns what it gives, and those of its parts that hold numbers or consist of no others.

    Args:
        module: The module.
        inputs: What it takes.
    """
    shapes: dict[nn.Module, str] = {}

    def note(part: nn.Module, _: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim:
            shapes[part] = f"({', '.join(['None', *map(str, output.shape[1:])])})"

    hooks = [part.register_forward_hook(note) for part in module.modules()]
    try:
        outputs = module(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    layers = [
        Layer(name or "module", type(part).__name__, shapes.get(part, ""), count_numbers(part, whole=False))
        for name, part in module.named_modules()
        if count_numbers(part, whole=False) or not any(True for _ in part.children())
    ]
    return outputs, layers


def count_numbers(module: nn.Module, *, whole: bool) -> int:
    """Count the numbers that a module holds, trained or not.

    Args:
        module: The module.
        whole: Whether those of its parts count, too.
    """
    held = [*module.parameters(recurse=whole), *module.buffers(recurse=whole)]
    return sum(tensor.numel() for tensor in held)
