"""Call an ONNX model as a server would: raw, named features in, named outputs out. Needs onnxruntime, not scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.types.artifact_files import ONNX_MODEL, SIGNATURE
from components._core.types.signature import Signature
from components._frameworks.contract import Model
from components._frameworks.feature_arrays import take_feature

THREADS = 1
"""Threads of one call. Servers answer several requests at a time; what was measured with two decides nothing (decision 0009)."""

_ONNX_TYPES = {"float32": "tensor(float)", "int64": "tensor(int64)", "string": "tensor(string)"}
_QUIET = 4  # fatal: what fails is raised besides
_REMEDY = "train the model again, without the cache"


class OnnxModel(Model):
    """An ONNX model in memory.

    Inputs are known by their order in the signature, outputs by the order of their names: a column may have the name of an output, and ONNX
    does not allow that.

    Args:
        signature: What it takes and gives.
        content: The model as bytes.

    Attributes:
        signature: What it takes and gives.
    """

    def __init__(self, signature: Signature, content: bytes) -> None:
        self.signature = signature
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = THREADS
        options.log_severity_level = _QUIET
        options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was checked
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._types = [(feature.name, feature.type) for feature in signature.inputs]
        self._outputs = sorted(signature.outputs)
        self._names = [taken.name for taken in self._session.get_inputs()]

    def misfit(self) -> str:
        """Describe in which way the model does not fit the signature; empty when it does."""
        for what, found, wanted in (
            ("takes", self._session.get_inputs(), [feature.dtype for feature in self.signature.inputs]),
            ("gives", self._session.get_outputs(), [self.signature.outputs[name] for name in self._outputs]),
        ):
            types = [value.type for value in found]
            expected = [_ONNX_TYPES[dtype] for dtype in wanted]
            if types != expected:
                return f"it {what} {', '.join(types)}, and {SIGNATURE} says {', '.join(expected)}"
        return ""

    def predict(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        columns = [take_feature(name, kind, arrays) for name, kind in self._types]
        fed = {name: values.reshape(-1, 1) for name, values in zip(self._names, columns, strict=True)}
        try:
            outputs = self._session.run(None, fed)
        except Exception as error:  # the errors of onnxruntime have no public class in common
            raise ModelError(f"the model failed on these rows: {reason_of(error)}") from error
        return dict(zip(self._outputs, map(np.asarray, outputs), strict=True))


def open_model(signature: Signature, model: Path) -> OnnxModel:
    """Bring a model artifact into memory, whose files were verified and checked before.

    Raises:
        ModelError: When the file is damaged or does not fit the signature.
    """
    file = model / ONNX_MODEL
    try:
        opened = OnnxModel(signature, file.read_bytes())
    except Exception as error:  # as above
        raise ModelError(f"does not load: {reason_of(error)}", where=str(file), remedy=_REMEDY) from error
    if misfit := opened.misfit():
        raise ModelError(f"does not load: {misfit}", where=str(file), remedy=_REMEDY)
    return opened


def reason_of(error: Exception) -> str:
    """The first line of an error of onnxruntime, without its code and the place in its source."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rpartition(") ")[2][:300] if lines[0].startswith("[ONNXRuntimeError]") else lines[0][:300]
