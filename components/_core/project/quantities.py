"""Amounts of CPU and memory as Kubernetes writes them: with their syntax check and their values for comparison."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|[MGTPE]|[KMGTPE]i)?$")]

_DECIMAL = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}
_FACTORS = {**_DECIMAL, **_BINARY}


class Amounts(BaseModel):
    """CPU and memory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: Annotated[Quantity, Field(description="Cores, as in `2` or `500m`.")]
    memory: Annotated[Quantity, Field(description="Bytes, as in `2Gi`.")]


def count_of(quantity: str) -> float:
    """Convert a quantity to cores or bytes: `500m` is 0.5, `1Ki` is 1024."""
    number = quantity.rstrip("mkKMGTPEi")
    return float(number) * _FACTORS[quantity[len(number) :]]
