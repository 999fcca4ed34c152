"""Paths of the Open Inference Protocol (V2) over HTTP: the server answers them, deploy and the commands ask them."""

from __future__ import annotations

MODELS = "/v2/models/"
LIVE = "/v2/health/live"


def model_path(name: str) -> str:
    """Path of a model's metadata; the other paths of the model begin with it."""
    return f"{MODELS}{name}"


def infer_path(name: str) -> str:
    """Path of a model's predictions."""
    return f"{model_path(name)}/infer"


def ready_path(name: str) -> str:
    """Path of a model's readiness: 200 when it answers predictions."""
    return f"{model_path(name)}/ready"
