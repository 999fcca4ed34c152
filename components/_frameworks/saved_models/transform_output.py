"""TensorFlow Transform's description of its graph, for a project's build_model: the sizes of vocabularies, the outputs."""

from __future__ import annotations

from pathlib import Path

from tensorflow_transform import TFTransformOutput


def read_transform_output(transform_graph: Path) -> TFTransformOutput:
    """Return the description of a transform graph; the graph itself is loaded when something of it is wanted."""
    return TFTransformOutput(str(transform_graph))
