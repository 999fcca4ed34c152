"""ONNX files as people bring them: of scikit-learn's converter, and graphs written operator by operator as other exporters name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from palmerpenguins import load_penguins
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]
CLASSES = ["Adelie", "Chinstrap", "Gentoo"]


def training_rows() -> pd.DataFrame:
    """The penguins as somebody else may have had them: texts missing as '', numbers as float32."""
    frame = load_penguins()
    return frame.assign(**{name: frame[name].fillna("") for name in TEXTS}).astype(dict.fromkeys(NUMBERS, "float32"))


def sklearn_file(*, zipmap: bool = True) -> bytes:
    """A pipeline over one input per column, with a label and probabilities as dictionaries: skl2onnx's default."""
    frame = training_rows()
    columns = [*NUMBERS, *TEXTS, "year"]
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("texts", OneHotEncoder(handle_unknown="ignore"), TEXTS),
            ("year", "drop", ["year"]),
        ]
    )
    fitted = make_pipeline(prepare, LogisticRegression(max_iter=500)).fit(frame[columns], frame["species"])
    types: list[tuple[str, Any]] = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    types += [(name, StringTensorType([None, 1])) for name in TEXTS] + [("year", Int64TensorType([None, 1]))]
    options = {id(fitted): {"zipmap": zipmap}}
    made: onnx.ModelProto = to_onnx(
        fitted, initial_types=types, options=options, target_opset={"": 17, "ai.onnx.ml": 3}
    )
    return made.SerializeToString()


def matrix_file(label: str = "species", **options: Any) -> bytes:
    """A classifier, or a regressor of the body mass, of one matrix of numbers, as most files of scikit-learn are."""
    frame = training_rows().dropna()
    if label == "body_mass_g":
        names = NUMBERS[:3]
        fitted = make_pipeline(StandardScaler(), Ridge()).fit(frame[names].to_numpy(), frame[label])
    else:
        names = NUMBERS
        labels = frame["species"] if label == "species" else pd.Categorical(frame["species"]).codes
        fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(frame[names].to_numpy(), labels)
    types = [("X", FloatTensorType([None, len(names)]))]
    made: onnx.ModelProto = to_onnx(
        fitted, initial_types=types, options=options or None, target_opset={"": 15, "ai.onnx.ml": 3}
    )
    return made.SerializeToString()


def dense_file(
    *,
    inputs: dict[str, tuple[int, list[Any]]] | None = None,
    output: str = "output",
    width: int = 3,
    last: str = "Softmax",
    opset: int = 13,
    ir: int = 7,
    seed: int = 0,
    nodes: list[onnx.NodeProto] | None = None,
    constants: dict[str, Any] | None = None,
    outputs: list[onnx.ValueInfoProto] | None = None,
) -> bytes:
    """One dense layer over the joined inputs, with weights that are also inputs before format 4, as Caffe2 wrote them.

    Args:
        inputs: Element type and shape by name; all of them numbers.
        output: Name of the output.
        width: Its values per row.
        last: Operator behind the layer; empty: there is none.
        opset: Version of the operators.
        ir: Version of the format.
        seed: Seed of the weights.
        nodes: Operators instead of the layer, of the joined inputs `joined`, that make `made`.
        constants: Their constants.
        outputs: Outputs instead of the one.
    """
    given = inputs or {"input": (TensorProto.FLOAT, ["batch", 4])}
    total = sum(shape[1] if len(shape) == 2 and isinstance(shape[1], int) else 1 for _, shape in given.values())
    random = np.random.default_rng(seed)
    weights = {
        "fc.weight": random.normal(size=(total, width)).astype(np.float32) / 100,
        "fc.bias": np.zeros(width, np.float32),
    }
    graph, cast = [], []
    for name, (kind, shape) in given.items():
        value = name
        if kind != TensorProto.FLOAT:
            graph.append(helper.make_node("Cast", [value], [f"{name}_real"], to=TensorProto.FLOAT))
            value = f"{name}_real"
        if len(shape) == 1:
            weights.setdefault("column", np.array([-1, 1], np.int64))
            graph.append(helper.make_node("Reshape", [value, "column"], [f"{name}_column"]))
            value = f"{name}_column"
        cast.append(value)
    graph.append(helper.make_node("Concat", cast, ["joined"], axis=1))
    if nodes is None:
        graph.append(helper.make_node("Gemm", ["joined", "fc.weight", "fc.bias"], ["made" if last else output]))
    else:
        weights = {name: value for name, value in weights.items() if name == "column"}
        graph += nodes
    weights |= constants or {}
    if last:
        graph.append(helper.make_node(last, ["made"], [output], **({"axis": 1} if last == "Softmax" else {})))
    taken = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in given.items()]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    if ir < 4:
        taken += [helper.make_tensor_value_info(each.name, each.data_type, list(each.dims)) for each in stored]
    made = outputs or [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", width])]
    complete = helper.make_graph(graph, "torch_jit", taken, made, initializer=stored)
    model = helper.make_model(
        complete, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, producer_name="pytorch"
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()
