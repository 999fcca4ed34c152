"""Variants of a Keras model that may answer faster: its graph with weights as constants, its arithmetic compiled by XLA, or as ONNX.

Of ONNX, the columns are prepared by TensorFlow as before and onnxruntime calculates the scores; a model whose columns need no table and no text
is ONNX as a whole, and served without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from components._core.store.file_digests import write_digests
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import Signature
from components._frameworks.contract import Arrays
from components._frameworks.keras.frozen_graph import FrozenGraph, answers, freeze, save_function, serving_specs


def make_variant(name: str, model: Path, folder: Path, rows: Arrays) -> None:
    """Write a variant of a model artifact; see `Framework.make_variant`.

    Args:
        name: `folded`, `xla`, `onnx`, `float16` or `int8`; the last two are of the ONNX form.
        model: The artifact.
        folder: An empty folder.
        rows: Training rows, as `Model.predict` takes them.

    Raises:
        ModelError: When an operator has no form in ONNX, or the model has nothing that the variant could change.
    """
    signature = Signature.load(model)
    frozen = freeze(signature, model)
    if name in ("folded", "xla"):
        _write_saved_model(frozen, signature, folder, compiled=name == "xla")
        return
    from components._frameworks.keras.onnx_form import write_onnx_form

    write_onnx_form(name, frozen, signature, folder, rows)


def _write_saved_model(frozen: FrozenGraph, signature: Signature, folder: Path, *, compiled: bool) -> None:
    scores: Callable[..., Any] = (
        tf.function(frozen.back, autograph=False, jit_compile=True) if compiled else frozen.back
    )

    def serve(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return answers(signature, scores(*frozen.front(tensors)))

    specs = serving_specs(signature)
    save_function(serve, specs, frozen, folder / SAVED_MODEL)
    signature.save(folder)
    write_digests(folder)
