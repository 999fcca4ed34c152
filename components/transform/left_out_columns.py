"""Columns that rules keep from preprocessing_fn: reading one ends with the column, the rule and the remedy instead of a KeyError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import tensorflow as tf

from components._core.errors import UserCodeError
from components._core.types.column_choices import DroppedColumn
from components.transform.preprocessing_fn import Preprocessing, Tensors
from components.transform.principal_components import KEY, Components

Absent = Mapping[str, tuple[str, str]]
"""By column: what keeps it from preprocessing_fn, and the remedy."""


def list_absent(
    dropped: tuple[DroppedColumn, ...], components: Components | None, *, keep: bool
) -> dict[str, tuple[str, str]]:
    """List the columns that preprocessing_fn does not get.

    Args:
        dropped: The columns that `transform.drop` leaves out.
        components: The principal components, if there are some.
        keep: Whether the columns of the components are kept.
    """
    absent = {column.name: _explain(column) for column in dropped}
    if components is not None and not keep:
        first, last = components.names[0], components.names[-1]
        made = first if first == last else f"{first} to {last}"
        why = (f"{KEY} replaces by {made}", f"use the components, or set {KEY}.keep: true")
        absent |= dict.fromkeys(components.moments.names, why)
    return absent


def _explain(column: DroppedColumn) -> tuple[str, str]:
    remedy = (
        f"take it out of the function, or read it only `if {column.name!r} in inputs`; to have it, loosen {column.rule}"
    )
    return f"{column.rule} drops: {column.reason}", remedy


def without_columns(function: Preprocessing, absent: Absent, file: str) -> Preprocessing:
    """Explain a preprocessing_fn why a column is not among its inputs; the same function where none is absent.

    Args:
        function: The project's preprocessing_fn.
        absent: The columns that it does not get.
        file: The file it comes from, for messages.

    Raises:
        UserCodeError: By the wrapped function, when it reads one of them.
    """
    if not absent:
        return function

    class Inputs(Tensors):
        def __missing__(self, name: str) -> NoReturn:
            if name not in absent:
                raise KeyError(name)
            why, remedy = absent[name]
            raise UserCodeError(f"preprocessing_fn reads {name!r}, which {why}", where=file, remedy=remedy)

    def preprocessing_fn(inputs: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return function(Inputs({name: tensor for name, tensor in inputs.items() if name not in absent}))

    return preprocessing_fn
