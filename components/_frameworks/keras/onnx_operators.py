"""Operators of TensorFlow as operators of ONNX: the arithmetic that networks on tables are made of.

An operator that is not here is an error with its name, and the variant is not made; the model itself is served as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from onnx import TensorProto

from components._core.errors import ModelError
from components._frameworks.onnx_models.task_outputs import AddedNodes

BORDER_TYPES = {
    "bool": TensorProto.BOOL,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}
"""Element type of an ONNX tensor by the name of a type of TensorFlow with which arithmetic is done."""
_PLAIN = {
    "Abs": "Abs",
    "Add": "Add",
    "AddV2": "Add",
    "BatchMatMulV2": "MatMul",
    "BiasAdd": "Add",
    "Ceil": "Ceil",
    "Div": "Div",
    "Elu": "Elu",
    "Equal": "Equal",
    "Erf": "Erf",
    "Exp": "Exp",
    "Floor": "Floor",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
    "IsNan": "IsNaN",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "Log": "Log",
    "LogicalAnd": "And",
    "LogicalNot": "Not",
    "LogicalOr": "Or",
    "Maximum": "Max",
    "Minimum": "Min",
    "Mul": "Mul",
    "Neg": "Neg",
    "Pow": "Pow",
    "RealDiv": "Div",
    "Reciprocal": "Reciprocal",
    "Relu": "Relu",
    "Select": "Where",
    "SelectV2": "Where",
    "Selu": "Selu",
    "Sigmoid": "Sigmoid",
    "Sign": "Sign",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Sqrt": "Sqrt",
    "Sub": "Sub",
    "Tanh": "Tanh",
}
"""Operators that take the same and give the same in both."""
_PASSED_ON = frozenset({"Identity", "PreventGradient", "StopGradient"})
_REDUCTIONS = {"Max": "ReduceMax", "Mean": "ReduceMean", "Min": "ReduceMin", "Prod": "ReduceProd", "Sum": "ReduceSum"}
_ROOM = 1 << 62


def convert_operations(last: tf.Tensor, known: dict[str, str], added: AddedNodes) -> str:
    """Add the ONNX nodes that calculate a tensor; returns its name in ONNX.

    Args:
        last: The tensor.
        known: Name in ONNX by the name in TensorFlow of the tensors at which the calculation begins.
        added: Gets nodes and constants.

    Raises:
        ModelError: When an operator, or this use of it, has no form here.
    """
    return _Converter(known, added).tensor(last)


class _Converter:
    """Converts the operations before a tensor, each once."""

    def __init__(self, known: dict[str, str], added: AddedNodes) -> None:
        self._known = known
        self._added = added

    def tensor(self, last: tf.Tensor) -> str:
        """Return the name in ONNX, after the nodes of all that is before it."""
        waiting = [last]  # a deep network would be too much for Python's own stack
        while waiting:
            tensor = waiting[-1]
            missing = [each for each in tensor.op.inputs if each.name not in self._known]
            if tensor.name in self._known:
                waiting.pop()
            elif missing and tensor.op.type != "Const":
                waiting += missing
            elif tensor.op.type == "IdentityN":
                passed = zip(tensor.op.outputs, tensor.op.inputs, strict=True)
                self._known |= {given.name: self._known[taken.name] for given, taken in passed}
            else:
                self._known[tensor.name] = self._convert(tensor.op)
                waiting.pop()
        return self._known[last.name]

    def _convert(self, operation: Any) -> str:
        kind, inputs = operation.type, [self._known[tensor.name] for tensor in operation.inputs]
        if len(operation.outputs) != 1:
            raise ModelError(f"the operator {kind} of TensorFlow, with several outputs, has no form in ONNX here")
        if kind == "Const":
            return self._added.constant(tf.make_ndarray(operation.get_attr("value")))
        if kind in _PASSED_ON:  # no node: a constant must be seen as one by what makes matrices smaller
            return inputs[0]
        if kind in _PLAIN:
            self._check_plain(operation)
            return self._added.node(_PLAIN[kind], *inputs)
        if kind in _REDUCTIONS:
            return self._reduce(operation, inputs)
        special: Callable[[Any, list[str]], str] | None = getattr(self, f"_{kind.lower()}", None)
        if special is None:
            raise ModelError(f"the operator {kind} of TensorFlow has no form in ONNX here")
        return special(operation, inputs)

    def _check_plain(self, operation: Any) -> None:
        given = _attributes(operation)
        if operation.type == "BiasAdd" and given.get("data_format", b"NHWC") != b"NHWC":
            raise ModelError("the operator BiasAdd with channels first has no form in ONNX here")
        if given.get("adj_x") or given.get("adj_y"):
            raise ModelError(f"the operator {operation.type} of an adjoint has no form in ONNX here")

    # operators with attributes or constants

    def _matmul(self, operation: Any, inputs: list[str]) -> str:
        for place, name in enumerate(("transpose_a", "transpose_b")):
            if operation.get_attr(name):
                inputs[place] = self._added.node("Transpose", inputs[place], perm=[1, 0])
        return self._added.node("MatMul", *inputs)

    def _cast(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Cast", inputs[0], to=_type(operation.get_attr("DstT")))

    def _expanddims(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Unsqueeze", inputs[0], self._axes(operation, 1))

    def _squeeze(self, operation: Any, inputs: list[str]) -> str:
        axes = list(operation.get_attr("squeeze_dims"))
        if not axes:
            raise ModelError("the operator Squeeze of all axes has no form in ONNX here")
        return self._added.node("Squeeze", inputs[0], self._added.constant(np.array(axes, np.int64)))

    def _concatv2(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Concat", *inputs[:-1], axis=int(_constant(operation.inputs[-1])))

    def _gatherv2(self, operation: Any, inputs: list[str]) -> str:
        if operation.get_attr("batch_dims"):
            raise ModelError("the operator GatherV2 by batch has no form in ONNX here")
        return self._added.node("Gather", *inputs[:2], axis=int(_constant(operation.inputs[2])))

    def _reshape(self, operation: Any, inputs: list[str]) -> str:
        shape = self._added.node("Cast", inputs[1], to=TensorProto.INT64)
        return self._added.node("Reshape", inputs[0], shape, allowzero=0)

    def _shape(self, operation: Any, inputs: list[str]) -> str:
        found = self._added.node("Shape", inputs[0])
        return self._added.node("Cast", found, to=_type(operation.get_attr("out_type")))

    def _pack(self, operation: Any, inputs: list[str]) -> str:
        axis = int(operation.get_attr("axis"))
        axes = self._added.constant(np.array([axis], np.int64))
        return self._added.node("Concat", *(self._added.node("Unsqueeze", each, axes) for each in inputs), axis=axis)

    def _stridedslice(self, operation: Any, inputs: list[str]) -> str:
        plan = _plan_slice(operation)
        result = inputs[0]
        if plan.slices:
            parts = [np.array(part, np.int64) for part in zip(*plan.slices, strict=True)]
            axes, begin, end, strides = map(self._added.constant, parts)
            result = self._added.node("Slice", result, begin, end, axes, strides)
        if plan.removed:
            result = self._added.node("Squeeze", result, self._added.constant(np.array(plan.removed, np.int64)))
        if plan.new:
            result = self._added.node("Unsqueeze", result, self._added.constant(np.array(plan.new, np.int64)))
        return result if result != inputs[0] else self._added.node("Identity", result)

    def _transpose(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Transpose", inputs[0], perm=[int(axis) for axis in _constant(operation.inputs[1])])

    def _softmax(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Softmax", inputs[0], axis=-1)

    def _logsoftmax(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("LogSoftmax", inputs[0], axis=-1)

    def _leakyrelu(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("LeakyRelu", inputs[0], alpha=float(operation.get_attr("alpha")))

    def _relu6(self, operation: Any, inputs: list[str]) -> str:
        bounds = [self._added.constant(np.array(bound, np.float32)) for bound in (0.0, 6.0)]
        return self._added.node("Clip", inputs[0], *bounds)

    def _rsqrt(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Reciprocal", self._added.node("Sqrt", inputs[0]))

    def _square(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Mul", inputs[0], inputs[0])

    def _squareddifference(self, operation: Any, inputs: list[str]) -> str:
        apart = self._added.node("Sub", *inputs)
        return self._added.node("Mul", apart, apart)

    def _log1p(self, operation: Any, inputs: list[str]) -> str:
        one = self._added.constant(np.array(1, operation.inputs[0].dtype.as_numpy_dtype))
        return self._added.node("Log", self._added.node("Add", inputs[0], one))

    def _notequal(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Not", self._added.node("Equal", *inputs))

    def _divnonan(self, operation: Any, inputs: list[str]) -> str:
        zero = self._added.constant(np.array(0, operation.inputs[0].dtype.as_numpy_dtype))
        is_zero = self._added.node("Equal", inputs[1], zero)
        return self._added.node("Where", is_zero, zero, self._added.node("Div", *inputs))

    def _zeroslike(self, operation: Any, inputs: list[str]) -> str:
        zero = self._added.constant(np.array(0, operation.inputs[0].dtype.as_numpy_dtype))
        return self._added.node("Expand", zero, self._added.node("Shape", inputs[0]))

    def _addn(self, operation: Any, inputs: list[str]) -> str:
        return self._added.node("Sum", *inputs)

    def _onehot(self, operation: Any, inputs: list[str]) -> str:
        if int(operation.get_attr("axis")) != -1:
            raise ModelError("the operator OneHot along another axis has no form in ONNX here")
        depth = self._added.constant(np.array(_constant(operation.inputs[1]), np.int64))
        off_on = self._added.constant(np.stack([_constant(operation.inputs[3]), _constant(operation.inputs[2])]))
        return self._added.node("OneHot", inputs[0], depth, off_on, axis=-1)

    def _reduce(self, operation: Any, inputs: list[str]) -> str:
        axes = np.atleast_1d(_constant(operation.inputs[1])).astype(np.int64)
        keep = int(operation.get_attr("keep_dims"))
        name = _REDUCTIONS[operation.type]
        if name == "ReduceSum":  # the only one whose axes are an input in this version of the operators
            return self._added.node(name, inputs[0], self._added.constant(axes), keepdims=keep)
        return self._added.node(name, inputs[0], axes=[int(axis) for axis in axes], keepdims=keep)

    def _axes(self, operation: Any, place: int) -> str:
        return self._added.constant(np.atleast_1d(_constant(operation.inputs[place])).astype(np.int64))


@dataclass
class _SlicePlan:
    """What a StridedSlice does, one thing after the other.

    Attributes:
        slices: Axis, begin, end and stride of what is cut out.
        removed: Axes of length one that are removed then.
        new: Axes of length one that are added then.
    """

    slices: list[tuple[int, int, int, int]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    new: list[int] = field(default_factory=list)


def _plan_slice(operation: Any) -> _SlicePlan:
    """Read a StridedSlice; `...` stands for the axes that no other entry names.

    Raises:
        ModelError: When bounds are calculated, or go backwards, or the number of axes is not known where it matters.
    """
    begin, end, strides = ([int(each) for each in _constant(tensor)] for tensor in operation.inputs[1:])
    masks = {
        name: int(operation.get_attr(f"{name}_mask"))
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    plan, axis, place, rank = _SlicePlan(), 0, 0, operation.inputs[0].shape.rank
    for entry in range(len(begin)):
        has = {name for name, mask in masks.items() if mask >> entry & 1}
        if "ellipsis" in has:
            later = [each for each in range(entry + 1, len(begin)) if not masks["new_axis"] >> each & 1]
            if rank is None:
                raise ModelError("the operator StridedSlice of a tensor of unknown shape has no form in ONNX here")
            skipped = rank - axis - len(later)
            axis, place = axis + skipped, place + skipped
        elif "new_axis" in has:
            plan.new.append(place)
            place += 1
        elif "shrink_axis" in has:
            plan.slices.append((axis, begin[entry], begin[entry] + 1 or _ROOM, 1))
            plan.removed.append(axis)
            axis += 1
        else:
            if strides[entry] < 0:
                raise ModelError("the operator StridedSlice backwards has no form in ONNX here")
            first, last = (0 if "begin" in has else begin[entry]), (_ROOM if "end" in has else end[entry])
            if (first, last, strides[entry]) != (0, _ROOM, 1):
                plan.slices.append((axis, first, last, strides[entry]))
            axis, place = axis + 1, place + 1
    return plan


def _constant(tensor: tf.Tensor) -> Any:
    """Return the value of a constant.

    Raises:
        ModelError: When the tensor is calculated.
    """
    operation = tensor.op
    while operation.type == "Identity":
        operation = operation.inputs[0].op
    if operation.type != "Const":
        raise ModelError(f"an argument of the operator before {tensor.name!r} is calculated, which ONNX does not allow")
    return tf.make_ndarray(operation.get_attr("value"))


def _type(kind: Any) -> int:
    name = tf.as_dtype(kind).name
    if name not in BORDER_TYPES:
        raise ModelError(f"the type {name} has no form in ONNX here")
    return int(BORDER_TYPES[name])


def _attributes(operation: Any) -> dict[str, Any]:
    known = operation.node_def.attr
    return {
        "data_format": known["data_format"].s or b"NHWC",
        "adj_x": "adj_x" in known and known["adj_x"].b,
        "adj_y": "adj_y" in known and known["adj_y"].b,
    }
