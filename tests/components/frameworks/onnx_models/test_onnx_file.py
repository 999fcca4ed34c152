"""An ONNX file that would do more than calculate is refused before it is opened, by its bytes alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from components._core.errors import ModelError
from components._core.store.file_digests import write_digests
from components._core.types.artifact_files import ONNX_MODEL
from components._frameworks.onnx_models.onnx_file import check_onnx_file
from components._frameworks.table import load_model


def foreign(node: str = "Run") -> onnx.NodeProto:
    return helper.make_node(node, ["x"], ["y"], domain="com.evil")


def body() -> onnx.GraphProto:
    return helper.make_graph([foreign()], "body", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])])


def external() -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/hostname"
    return tensor


def add_constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=external()))


def add_sparse(model: onnx.ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(external())


def add_condition(model: onnx.ModelProto) -> None:
    inner = helper.make_node("If", ["c"], ["y"], then_branch=body(), else_branch=body())
    outer = helper.make_graph([inner], "outer", [], [])
    model.graph.node.append(helper.make_node("Scan", ["x"], ["y"], body=outer, num_scan_inputs=1))


MISUSES: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "a foreign operator": (lambda model: model.graph.node.append(foreign()), "its operator Run is one of 'com.evil'"),
    "one of Microsoft's": (
        lambda model: model.graph.node.append(
            helper.make_node("ReadFile", [], ["y"], domain="com.microsoft.extensions")
        ),
        "operator ReadFile",
    ),
    "within branches within a loop": (add_condition, "its operator Run"),
    "weights in another file": (lambda model: model.graph.initializer.append(external()), "data in another file"),
    "a constant in another file": (add_constant, "data in another file"),
    "sparse weights in another file": (add_sparse, "data in another file"),
    "a foreign domain": (
        lambda model: model.opset_import.append(helper.make_opsetid("com.evil", 1)),
        "imports operators of 'com.evil'",
    ),
    "a function": (lambda model: model.functions.add(name="f", domain="ai.onnx"), "it has functions"),
    "training": (lambda model: model.training_info.add().initialization.CopyFrom(body()), "it has training steps"),
    "settings of a runtime": (lambda model: model.metadata_props.add(key="ort_config", value="{}"), "it has metadata"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misuse_is_refused(misuse: str, model: Path, tmp_path: Path) -> None:
    change, message = MISUSES[misuse]
    proto = onnx.load(str(model / ONNX_MODEL))
    change(proto)
    (tmp_path / ONNX_MODEL).write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match=message):
        check_onnx_file(tmp_path / ONNX_MODEL)


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"ORTM", b"pickle\x80\x04", b"\x08\x08"])
def test_what_is_no_onnx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ONNX_MODEL).write_bytes(content)
    with pytest.raises(ModelError, match="does not load"):
        check_onnx_file(tmp_path / ONNX_MODEL)


def test_a_truncated_file_is_refused_at_every_length(model: Path, tmp_path: Path) -> None:
    whole = (model / ONNX_MODEL).read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / ONNX_MODEL).write_bytes(whole[:length])
        with pytest.raises(ModelError):
            check_onnx_file(tmp_path / ONNX_MODEL)


def test_what_train_writes_is_allowed(model: Path) -> None:
    check_onnx_file(model / ONNX_MODEL)


def test_a_model_is_checked_before_it_is_opened(model: Path, tmp_path: Path) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    proto = onnx.load(str(model / ONNX_MODEL))
    proto.graph.node.append(foreign())
    (tmp_path / ONNX_MODEL).write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="changed"):
        load_model(tmp_path)
    write_digests(tmp_path)
    with pytest.raises(ModelError, match="is not loaded: its operator Run"):
        load_model(tmp_path)
