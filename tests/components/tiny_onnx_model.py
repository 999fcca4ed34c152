"""The tiny model of the tests as ONNX: the same numbers from another engine, in a server without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from components._core.types.artifact_files import ONNX_MODEL
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from tests.components.tiny_models import CLASSES, FEATURES, PUSH

_TASK = "multiclass_classification"
_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}


def write_onnx_model(folder: Path) -> Path:
    """Save what `write_model` saves for three classes; a folder that is there already is filled."""
    folder.mkdir(exist_ok=True)
    onnx.save(_graph(), str(folder / ONNX_MODEL))
    Signature(_TASK, FEATURES, TASKS[_TASK].output_types, CLASSES[_TASK], "sklearn").save(folder)
    return folder


def _graph() -> onnx.ModelProto:
    numbers = {"zero": 0.0, "slope": 0.1, "season": 0.05, "june": 6.0, "one": 1.0}
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [1], [value]) for name, value in numbers.items()]
    constants.append(helper.make_tensor("axis", TensorProto.INT64, [1], [1]))
    push = {"keys_strings": list(PUSH), "values_floats": list(PUSH.values()), "default_float": 0.0}
    names = {"keys_int64s": [0, 1, 2], "values_strings": list(CLASSES[_TASK])}
    node = helper.make_node
    nodes = [
        node("IsNaN", ["delay"], ["unknown"]),
        node("Where", ["unknown", "zero", "delay"], ["filled"]),
        node("Mul", ["filled", "slope"], ["by_delay"]),
        node("LabelEncoder", ["carrier"], ["by_carrier"], domain="ai.onnx.ml", **push),
        node("Cast", ["month"], ["month_number"], to=TensorProto.FLOAT),
        node("Sub", ["month_number", "june"], ["distance"]),
        node("Mul", ["distance", "season"], ["by_month"]),
        node("Sum", ["by_delay", "by_carrier", "by_month"], ["value"]),
        node("Neg", ["value"], ["opposite"]),
        node("Abs", ["value"], ["size"]),
        node("Sub", ["one", "size"], ["nearness"]),
        node("Concat", ["opposite", "value", "nearness"], ["logits"], axis=1),
        node("Softmax", ["logits"], ["probabilities"], axis=1),
        node("ArgMax", ["probabilities"], ["index"], axis=1, keepdims=0),
        node("LabelEncoder", ["index"], ["class"], domain="ai.onnx.ml", **names),
    ]
    taken = [helper.make_tensor_value_info(feature.name, _TYPES[feature.dtype], ["rows", 1]) for feature in FEATURES]
    given = [
        helper.make_tensor_value_info("class", TensorProto.STRING, ["rows"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 3]),
    ]
    graph = helper.make_graph(nodes, "tiny", taken, given, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
