"""Paths of the Open Inference Protocol (V2) over HTTP: used by the server, deploy and the commands."""

from __future__ import annotations

MODELS = "/v2/models/"
LIVE = "/v2/health/live"


def model_path(name: str) -> str:
    """Return the path of a model's metadata, the prefix of the model's other paths."""
    return f"{MODELS}{name}"


def infer_path(name: str) -> str:
    """Return the path of a model's predictions."""
    return f"{model_path(name)}/infer"


def feedback_path(name: str) -> str:
    """Return the path to which labels of a model's answers are posted; the protocol has none."""
    return f"{model_path(name)}/feedback"


def ready_path(name: str) -> str:
    """Return the path of a model's readiness: 200 when it can predict."""
    return f"{model_path(name)}/ready"
