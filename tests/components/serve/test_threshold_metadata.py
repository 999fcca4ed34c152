"""A version with its own threshold: the server answers probabilities, and names the threshold in its metadata."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components._core.examples.reference_rows import Reference
from components._core.types.artifact_files import REFERENCE
from components._predictor.predictor import load
from components.serve.mlserver_runtime import _metadata

Make = Callable[..., Path]


@pytest.mark.parametrize(("threshold", "shown"), [(0.125, {"threshold": 0.125}), (None, {})])
def test_the_threshold_of_a_version_is_in_the_metadata(
    model: Make, tmp_path: Path, threshold: float | None, shown: dict[str, float]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model("binary_classification"), folder)
    Reference(threshold=threshold).save(folder / REFERENCE)
    predictor = load(folder)
    _, (output,) = _metadata(predictor.signature, predictor.threshold)
    parameters = output.parameters.model_dump(exclude_none=True) if output.parameters else {}
    assert parameters == {"classes": ["0", "1"], **shown}
