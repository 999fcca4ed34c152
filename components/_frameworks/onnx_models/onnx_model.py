"""Call an ONNX model as a server would: raw, named features in, named outputs out. Needs onnxruntime, not the library that trained it.

With a preprocessing_fn the artifact has its graph beside the ONNX file, which takes what that makes; one call goes through both.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from components._core.errors import ModelError
from components._core.extras import LOCAL_EXTRA, check_extra
from components._core.files import read_json
from components._core.types.artifact_files import ONNX_MODEL, SAVED_MODEL, SIGNATURE, STRUCTURE
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Arrays, Model, StructureAttribution, StructureImportance
from components._frameworks.feature_arrays import take_feature

if TYPE_CHECKING:  # it imports TensorFlow, which most models do without
    from components._frameworks.saved_models.transform_front import TransformFront

THREADS = 1
"""Threads of one call. Servers answer several requests at a time; what was measured with two decides nothing (decision 0009)."""

_ONNX_TYPES = {"float32": "tensor(float)", "int64": "tensor(int64)", "string": "tensor(string)"}
_QUIET = 4  # fatal: what fails is raised besides
_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_REMEDY = "train the model again, without the cache"


class OnnxModel(Model):
    """An ONNX model in memory.

    Inputs are known by their order in the signature, outputs by the order of their names: a column may have the name of an output, and ONNX
    does not allow that.

    Args:
        signature: What it takes and gives.
        content: The model as bytes.
        structure: What its structure goes by, if that is known.
        file: Where the bytes are from; None: the structure cannot be read again.

    Attributes:
        signature: What it takes and gives.
    """

    def __init__(
        self,
        signature: Signature,
        content: bytes,
        structure: StructureImportance | None = None,
        file: Path | None = None,
    ) -> None:
        self.signature = signature
        self._structure = structure
        self._file = file
        self._front: TransformFront | None = None
        self._session = open_session(content)
        self._types = [(feature.name, feature.type) for feature in signature.inputs]
        self._outputs = sorted(signature.outputs)
        self._names = [taken.name for taken in self._session.get_inputs()]

    def misfit(self, *, prepared: bool = False) -> str:
        """Describe in which way the model does not fit the signature; empty when it does.

        Args:
            prepared: Whether it takes what a preprocessing_fn makes, of which the signature says nothing.
        """
        sides = [("gives", self._session.get_outputs(), [self.signature.outputs[name] for name in self._outputs])]
        if not prepared:
            sides.insert(0, ("takes", self._session.get_inputs(), [each.dtype for each in self.signature.inputs]))
        for what, found, wanted in sides:
            types = [value.type for value in found]
            expected = [_ONNX_TYPES[dtype] for dtype in wanted]
            if types != expected:
                return f"it {what} {', '.join(types)}, and {SIGNATURE} says {', '.join(expected)}"
        return ""

    def predict(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return self.run(self._prepare(arrays))

    def _prepare(self, arrays: Arrays) -> list[NDArray[Any]]:
        """Return what the ONNX graph takes, in the order of its own inputs."""
        columns = [take_feature(name, kind, arrays) for name, kind in self._types]
        return columns if self._front is None else self._front.transform(columns)

    def feed(self, arrays: Arrays) -> Arrays:
        """Return what the ONNX graph takes for some rows, by the names of its inputs; errors as in `predict`."""
        return self._feed(self._prepare(arrays))

    def _feed(self, columns: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        shaped = [values if values.ndim == 2 else values[:, None] for values in columns]
        return dict(zip(self._names, shaped, strict=True))

    def transform(self, arrays: Arrays) -> Arrays | None:
        return None if self._front is None else dict(zip(self._names, self._prepare(arrays), strict=True))

    def attribute_by_structure(
        self, row: Arrays, background: Arrays, class_index: int | None
    ) -> StructureAttribution | None:
        if self._file is None or find_spec("onnx") is None:  # a server's image has onnxruntime alone
            return None
        from components._frameworks.onnx_models.onnx_attribution import attribute

        classes = len(self.signature.classes)
        return attribute(
            self._file.read_bytes(),
            self.feed,
            lambda arrays: self.predict(arrays)[TASKS[self.signature.task].score],
            row,
            background,
            class_index,
            classes,
        )

    def run(self, columns: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs of the ONNX graph for arrays [rows] or [rows, k] in the order of its own inputs.

        Raises:
            ModelError: When it fails on them.
        """
        try:
            outputs = self._session.run(None, self._feed(columns))
        except Exception as error:  # the errors of onnxruntime have no public class in common
            raise ModelError(f"the model failed on these rows: {reason_of(error)}") from error
        return dict(zip(self._outputs, map(np.asarray, outputs), strict=True))

    def structure_importance(self) -> StructureImportance | None:
        return self._structure

    def open_front(self, saved_model: Path) -> None:
        """Put a preprocessing_fn's graph in front, which makes what the ONNX graph takes.

        Raises:
            ModelError: When it does not load.
            ConfigError: When TensorFlow is not installed.
        """
        check_extra(LOCAL_EXTRA, ("tensorflow",), "a preprocessing_fn in front of the model", str(saved_model))
        from components._frameworks.saved_models.transform_front import TransformFront

        self._front = TransformFront(self.signature.inputs, len(self._names), saved_model)


def open_session(content: bytes) -> onnxruntime.InferenceSession:
    """Open a model on the CPU; a model that does not load raises errors of onnxruntime, which have no public class in common."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = _QUIET
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was checked
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def open_model(signature: Signature, model: Path) -> OnnxModel:
    """Bring a model artifact into memory, whose files were verified and checked before.

    Raises:
        ModelError: When the file is damaged or does not fit the signature.
    """
    file = model / ONNX_MODEL
    try:
        opened = OnnxModel(signature, file.read_bytes(), _load_structure(model / STRUCTURE), file)
    except Exception as error:  # as above
        raise ModelError(f"does not load: {reason_of(error)}", where=str(file), remedy=_REMEDY) from error
    has_front = (model / SAVED_MODEL).is_dir()
    if misfit := opened.misfit(prepared=has_front):
        raise ModelError(f"does not load: {misfit}", where=str(file), remedy=_REMEDY)
    if has_front:
        opened.open_front(model / SAVED_MODEL)
    return opened


def _load_structure(file: Path) -> StructureImportance | None:
    return StructureImportance(**read_json(file)) if file.is_file() else None


def reason_of(error: Exception) -> str:
    """The first line of an error of onnxruntime, without its code and the place in its source."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if not lines[0].startswith("[ONNXRuntimeError]"):
        return lines[0][:300]
    return _CODE.sub("", lines[0]).rpartition(") ")[2][:300]
