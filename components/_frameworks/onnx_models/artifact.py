"""The artifact of a model that is served as ONNX: `model.onnx`, and a preprocessing_fn's graph beside it where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from components._core.files import write_bytes
from components._core.store.file_digests import write_digests
from components._core.types.artifact_files import ONNX_MODEL, SAVED_MODEL
from components._core.types.signature import Signature
from components._frameworks.onnx_models.onnx_file import check_onnx_file


def check_artifact(model: Path) -> None:
    """Refuse an artifact whose files would do more than calculate. Needs no library of ONNX and no TensorFlow.

    Raises:
        ModelError: With the file and what is wrong with it.
    """
    check_onnx_file(model / ONNX_MODEL)
    if (model / SAVED_MODEL).is_dir():
        from components._frameworks.saved_models.saved_graph import check_saved_model

        check_saved_model(model / SAVED_MODEL)


def write_artifact(
    folder: Path, content: bytes, signature: Signature, features: Iterable[str], transform_fn: Path | None
) -> None:
    """Write the model, its signature, and the digests of all files in the folder.

    Args:
        folder: The artifact; what else belongs into it is there already.
        content: The ONNX file.
        signature: What the model takes and gives.
        features: What the ONNX graph takes, in the order of its inputs.
        transform_fn: TensorFlow Transform's SavedModel that makes the features of raw columns; None: the features are these columns.

    Raises:
        ModelError: When the ONNX file would do more than calculate.
        UserCodeError: When the transform graph would.
        NaruError: When the disk is full.
    """
    write_bytes(folder / ONNX_MODEL, content)
    check_onnx_file(folder / ONNX_MODEL)
    if transform_fn is not None:
        from components._frameworks.saved_models.transform_front import export_front

        export_front(transform_fn, signature.inputs, list(features), folder / SAVED_MODEL)
    signature.save(folder)
    write_digests(folder)
