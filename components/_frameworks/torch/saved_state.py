"""The state of a module, an optimizer and a scheduler as NumPy arrays: a checkpoint holds nothing else, so opening one runs no code."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch

from components._core.errors import UserCodeError
from components._frameworks.contract import Array

_BYTES = {torch.bfloat16: torch.int16}
"""Types that NumPy does not have, by those of the same size that it has."""


def to_arrays(state: Any) -> list[Array]:
    """Return a nested state as arrays: first its structure as JSON in bytes, then each tensor.

    Functions are left out of dictionaries: a scheduler has some, and keeps its own when it is restored.

    Args:
        state: Dictionaries, lists and tuples of tensors, numbers, texts and None, as `state_dict` returns them.

    Raises:
        UserCodeError: When it holds something else.
    """
    tensors: list[Array] = []
    structure = _describe(state, tensors)
    return [np.frombuffer(json.dumps(structure).encode(), np.uint8), *tensors]


def from_arrays(arrays: list[Array]) -> Any:
    """Return the state that `to_arrays` has made arrays of."""
    return _rebuild(json.loads(bytes(arrays[0])), arrays[1:])


def _describe(value: Any, tensors: list[Array]) -> Any:
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        held = value.detach().cpu()
        tensors.append(np.array((held.view(_BYTES[held.dtype]) if held.dtype in _BYTES else held).numpy()))
        return {"tensor": len(tensors) - 1, "type": kind}
    if isinstance(value, dict):
        kept = [(key, each) for key, each in value.items() if not callable(each)]
        return {"dict": [[_describe(key, tensors), _describe(each, tensors)] for key, each in kept]}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [_describe(each, tensors) for each in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise UserCodeError(
        f"the state of the model holds a {type(value).__name__}, which a checkpoint cannot keep",
        where="build_model",
        remedy="keep tensors, numbers and texts in the states of modules, optimizers and schedulers",
    )


def _rebuild(value: Any, tensors: list[Array]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        kind, held = getattr(torch, value["type"]), torch.from_numpy(np.array(tensors[value["tensor"]]))
        return held.view(kind) if kind in _BYTES else held
    if "dict" in value:
        return {_rebuild(key, tensors): _rebuild(each, tensors) for key, each in value["dict"]}
    made = [_rebuild(each, tensors) for each in next(iter(value.values()))]
    return made if "list" in value else tuple(made)
