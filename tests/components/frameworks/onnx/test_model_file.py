"""A file from outside is read within bounds, and refused with what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from components._core.errors import ModelError
from components._core.stage import code_archives
from components._frameworks.onnx import model_file
from components._frameworks.onnx.model_file import ModelFile
from tests.components.frameworks.onnx.onnx_files import dense_file, sklearn_file

FLOAT = TensorProto.FLOAT


def read(folder: Path, content: bytes) -> ModelFile:
    (folder / "model.onnx").write_bytes(content)
    return ModelFile(folder / "model.onnx")


def changed(change: Callable[[onnx.ModelProto], object], content: bytes = b"") -> bytes:
    model = onnx.load_model_from_string(content or dense_file())
    change(model)
    return model.SerializeToString()


def with_node(node: onnx.NodeProto) -> bytes:
    return changed(lambda model: model.graph.node.insert(0, node))


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def outside_in_a_constant(model: onnx.ModelProto) -> None:
    inner = numpy_helper.from_array(np.ones(2, np.float32), "inner")
    inner.external_data.add(key="location", value="../weights")
    body = helper.make_graph([helper.make_node("Constant", [], ["c"], value=inner)], "b", [], [])
    branch = helper.make_node("If", ["yes"], ["z"], then_branch=body, else_branch=body)
    model.graph.node.append(branch)


def endless(model: onnx.ModelProto) -> None:
    call = helper.make_node("again", ["x"], ["y"], domain="own")
    model.functions.append(helper.make_function("own", "again", ["x"], ["y"], [call], [helper.make_opsetid("", 13)]))
    model.graph.node.append(helper.make_node("again", ["input"], ["z"], domain="own"))


def exploding(model: onnx.ModelProto) -> None:
    for level in range(30):
        inner = f"f{level - 1}" if level else "Neg"
        domain = "own" if level else ""
        nodes = [helper.make_node(inner, ["x"], [y], domain=domain) for y in ("a", "b")]
        model.functions.append(
            helper.make_function("own", f"f{level}", ["x"], ["a"], nodes, [helper.make_opsetid("", 13)])
        )
    model.graph.node.append(helper.make_node("f29", ["input"], ["z"], domain="own"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an ONNX file"),
        (b"PK\x03\x04 a zip", "is not an ONNX file"),
        (dense_file()[:-40], "is not an ONNX file|does not load"),
        (changed(outside), "its weights 'fc.weight' are in another file"),
        (changed(outside_in_a_constant), "its weights 'inner' are in another file"),
        (with_node(helper.make_node("Steal", ["input"], ["z"], domain="com.evil")), "its operator Steal is one of 'com.evil'"),
        (with_node(helper.make_node("FusedGemm", ["input"], ["z"], domain="com.microsoft")), "one of 'com.microsoft'"),
        (with_node(helper.make_node("RandomNormalLike", ["input"], ["z"])), "RandomNormalLike draws random numbers"),
        (changed(endless), "its function 'again' calls itself"),
        (changed(exploding), "its functions make more than 100,000 operators"),
        (changed(lambda model: setattr(model, "ir_version", 99)), r"IR version\) 99; allowed: 3 to 11"),
        (changed(lambda model: setattr(model.opset_import[0], "version", 6)), r"\(opset\); allowed: 7 to 23"),
        (changed(lambda model: setattr(model.opset_import[0], "version", 99)), "needs version 99"),
        (changed(lambda model: setattr(model.graph.node[1], "op_type", "Gem")), "onnxruntime does not load it"),
        (dense_file(inputs={"x": (FLOAT, [32, 4])}), r"\[32, 4\]: it takes 32 rows at a time"),
        (dense_file(inputs={"x": (FLOAT, [4])}, nodes=[helper.make_node("Neg", ["joined"], ["made"])]), "one row without a dimension"),
        (dense_file(inputs={"x": (TensorProto.UINT8, ["n", 4])}), r"takes tensor\(uint8\); allowed: tensor\(bool\)"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_model_of_rows_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        read(tmp_path, content)
    assert refused.value.where == "model.onnx" and refused.value.remedy


def test_a_picture_is_refused_by_its_shape(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("image", FLOAT, ["n", 3, 224, 224])
    made = helper.make_tensor_value_info("made", FLOAT, ["n", 3, 224, 224])
    graph = helper.make_graph([helper.make_node("Neg", ["image"], ["made"])], "g", [image], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    with pytest.raises(ModelError, match=r"'image' has the shape \[n, 3, 224, 224\]; allowed: \[rows, columns\]"):
        read(tmp_path, model.SerializeToString())


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelError, match="is larger than 0 MiB"):
        read(tmp_path, dense_file())
    assert code_archives.MAX_MODEL_BYTES == 64 << 20


def test_the_usual_exporters_are_read(tmp_path: Path) -> None:
    file = read(tmp_path, sklearn_file())
    assert [(each.name, each.kind, each.width) for each in file.inputs][-2:] == [
        ("sex", "string", 1),
        ("year", "int64", 1),
    ]
    assert [(each.name, each.kind, each.is_map) for each in file.outputs] == [
        ("output_label", "string", False),
        ("output_probability", "float32", True),
    ]
    assert file.facts()["made by"].startswith("skl2onnx") and "ai.onnx.ml" in file.facts()["operators"]
    assert [each.name for each in read(tmp_path, dense_file(ir=3, opset=8)).inputs] == [
        "input"
    ]  # its weights are inputs, too
    assert read(tmp_path, dense_file(inputs={"input": (FLOAT, [1, 4])})).one_row


def test_functions_of_the_file_itself_and_domains_that_it_only_declares_are_taken(tmp_path: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        body = [helper.make_node("Mul", ["x", "x"], ["y"])]
        model.functions.append(helper.make_function("own", "square", ["x"], ["y"], body, [helper.make_opsetid("", 13)]))
        model.opset_import.extend([helper.make_opsetid("own", 1), helper.make_opsetid("com.microsoft", 1)])
        model.ir_version = 8
        model.graph.node[1].input[0] = "squared"
        model.graph.node.insert(1, helper.make_node("square", ["joined"], ["squared"], domain="own"))

    file = read(tmp_path, changed(add))
    assert file.count_operators()["Mul"] == 1 and not file.proto.functions
    rows = np.ones((2, 4), np.float32)
    plain = onnx.load_model_from_string(dense_file())
    assert np.isfinite(file.session.run(None, {"input": rows})[0]).all() and plain.graph.node
