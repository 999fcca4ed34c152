"""Find whole numbers that differ in the examples but become one number in the model, as float32.

A column of whole numbers in which values may be missing is a float32 in a model, and so is one of double precision. A
float32 is exact for whole numbers up to 2**24: beyond it, two identifiers or two amounts can become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.examples.artifact import SPLITS, read_batches
from components._core.types.column_types import to_plain
from components._core.types.feature_types import FLOAT32, first_inexact
from components._core.types.signature import Feature
from components.validate.findings import Finding
from components.validate.statistics import Statistics, by_name, is_text
from components.validate.tfdv_columns import batch_rows

_TARGET = np.dtype(np.float64)
"""Type in which the label of a regression is measured."""


@dataclass
class _Lost:
    """The numbers of a column that its type in the model cannot represent."""

    rows: int = 0
    values: int = 0
    largest: int = 0


def find_lost_precision(
    examples: Path, features: tuple[Feature, ...], target: str, parts: dict[str, Statistics]
) -> list[Finding]:
    """Count the whole numbers that are rounded for the model; only columns with large numbers are read.

    Args:
        examples: The examples artifact.
        features: Inputs of the model.
        target: The label's column in a regression, which is measured in double precision; else empty.
        parts: Statistics by split.
    """
    held = {feature.name: FLOAT32.numpy for feature in features if feature.type.is_real}
    held |= {target: _TARGET} if target else {}
    findings = []
    for name, real in held.items():
        if _largest(name, parts) >= first_inexact(real) and (lost := _count(examples, name, real)).values:
            findings.append(_finding(name, real, lost))
    return findings


def _largest(name: str, parts: dict[str, Statistics]) -> float:
    known = [by_name(statistics).get(name) for statistics in parts.values()]
    numbers = [feature.num_stats for feature in known if feature is not None and not is_text(feature)]
    return max((max(abs(found.min), abs(found.max)) for found in numbers), default=0.0)


def _count(examples: Path, name: str, real: np.dtype[Any]) -> _Lost:
    found = _Lost()
    for split in SPLITS:
        for batch in read_batches(examples, split, [name], batch_rows=batch_rows(1)):
            if batch.num_columns:
                _add(found, to_plain(batch.column(0), name), real)
    return found


def _add(found: _Lost, column: pa.Array, real: np.dtype[Any]) -> None:
    found.rows += len(column)
    if pa.types.is_string(column.type):
        return
    values = np.asarray(pc.drop_null(column).to_numpy(zero_copy_only=False))
    rounded = values[_is_rounded(values, real)]
    if len(rounded):
        found.values += len(rounded)
        found.largest = max(found.largest, abs(int(rounded.min())), abs(int(rounded.max())))


def _is_rounded(values: NDArray[Any], real: np.dtype[Any]) -> NDArray[np.bool_]:
    """Return where a whole number changes as `real`; one that becomes infinite is another finding."""
    with np.errstate(over="ignore", invalid="ignore"):
        held = values.astype(real)
        if values.dtype.kind == "f":
            return np.asarray((np.floor(values) == values) & np.isfinite(held) & (held != values))
        # back to whole numbers, since a comparison would use double precision; 2**63 does not convert back
        return np.asarray((held.astype(np.float64) >= 2.0**63) | (held.astype(values.dtype) != values))


def _finding(name: str, real: np.dtype[Any], lost: _Lost) -> Finding:
    message = (
        f"{lost.values:,} of {lost.rows:,} values of {name} are whole numbers that the model cannot tell from their neighbours: it reads "
        f"them as {real}, which holds every whole number up to {first_inexact(real):,} (largest found: {lost.largest:,})"
    )
    remedy = "if they are amounts, that is harmless; if they identify something, exclude the column or write it as text"
    return Finding("lost_precision", name, f"{message}; {remedy}", lost.values, 0, lost.rows)
