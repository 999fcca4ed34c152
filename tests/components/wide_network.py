"""An ONNX network whose matrices are wide enough for int8 to pay, with rows whose labels it knows: for the tests of optimised variants."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from onnx import TensorProto, helper, numpy_helper

from components._core.examples.artifact import Manifest
from components._core.project.project_file import Project
from components._core.store.file_digests import write_digests
from components._core.types.artifact_files import ONNX_MODEL
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from tests.components.small_flights import write_split

FEATURES = tuple(Feature(f"x{number}", "float32", False) for number in range(12))


def wide_project(optimize: Any = "auto", **sections: Any) -> Project:
    """A project over these rows, whose gates a busy machine does not fail."""
    gates = {"model": {"first": "deploy"}, "serving": {"p95_ms": 10_000, "parity": 1e-4}}
    raw = {"name": "wide", "task": "binary_classification", "label": "y", "data": {"source": "t.csv"}, "gates": gates}
    code = {"framework": "onnx", "model": "model.onnx"}
    return Project.model_validate({**raw, "code": code, "serve": {"optimize": optimize}, **sections})


def write_network(folder: Path, width: int = 256, steepness: float = 1.0) -> Path:
    """Write a network of three products as a model artifact; the same arguments give the same one.

    Args:
        folder: Where it goes.
        width: Units of both hidden layers.
        steepness: Factor of the logit: how far a probability moves with the features.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(5)
    sizes = [len(FEATURES), width, width, 1]
    nodes = [helper.make_node("Concat", [feature.name for feature in FEATURES], ["h0"], axis=1)]
    constants = [numpy_helper.from_array(np.array([-1], np.int64), "flat")]
    for layer, (taken, given) in enumerate(pairwise(sizes)):
        weights = random.normal(size=(taken, given)) * np.sqrt(2.0 / taken) * (steepness if given == 1 else 1.0)
        constants.append(numpy_helper.from_array(weights.astype(np.float32), f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [f"h{layer}", f"w{layer}"], [f"z{layer}"]))
        after = helper.make_node("Relu" if given > 1 else "Sigmoid", [f"z{layer}"], [f"h{layer + 1}"])
        nodes.append(after)
    nodes.append(helper.make_node("Reshape", ["h3", "flat"], ["probability"]))
    taken = [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, [None, 1]) for each in FEATURES]
    given = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None])]
    graph = helper.make_graph(nodes, "wide", taken, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (folder / ONNX_MODEL).write_bytes(model.SerializeToString())
    task = "binary_classification"
    Signature(task, FEATURES, TASKS[task].output_types, ("0", "1"), "onnx").save(folder)
    write_digests(folder)
    return folder


def write_wide_examples(folder: Path, model: Path, rows: int = 1_500) -> Path:
    """Write rows whose label is drawn by the probability that the network gives them."""
    from components._frameworks.table import load_model

    random = np.random.default_rng(11)
    answers, columns = load_model(model), {feature.name: "float32" for feature in FEATURES}
    for split in ("train", "eval", "test"):
        values = {name: random.normal(size=rows).astype(np.float32) for name in columns}
        labels = random.random(rows) < answers.predict(values)["probability"]
        write_split(folder, split, pa.table({**values, "y": labels.astype(np.int64)}))
    counts = dict.fromkeys(("train", "eval", "test"), rows)
    Manifest("f" * 32, {**columns, "y": "int64"}, counts, [1], []).save(folder)
    return folder
