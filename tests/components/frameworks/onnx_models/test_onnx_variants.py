"""Variants of ONNX models are made by onnxruntime's tools, hold operators of ONNX alone, and answer each row by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from components._core.errors import ModelError
from components._core.store.file_digests import write_digests
from components._core.types.artifact_files import ONNX_MODEL
from components._frameworks.contract import Arrays
from components._frameworks.onnx_models import onnx_variants
from components._frameworks.onnx_models.column_scales import inner_values, scale_columns
from components._frameworks.onnx_models.onnx_model import open_session
from components._frameworks.onnx_models.onnx_variants import make_variant
from components._frameworks.table import load_model
from tests.components.tiny_onnx_model import write_onnx_model
from tests.components.wide_network import FEATURES, write_network


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("network") / "model", width=64)


@pytest.fixture(scope="module")
def rows() -> Arrays:
    random = np.random.default_rng(3)
    return {feature.name: random.normal(size=400).astype(np.float32) for feature in FEATURES}


def operators(model: Path) -> list[str]:
    return [node.op_type for node in onnx.load(str(model / ONNX_MODEL)).graph.node]


@pytest.mark.parametrize(("name", "operator", "apart"), [("int8", "MatMulInteger", 0.05), ("float16", "Cast", 0.002)])
def test_products_are_calculated_otherwise_and_the_answers_stay_near(
    name: str, operator: str, apart: float, network: Path, rows: Arrays, tmp_path: Path
) -> None:
    make_variant(name, network, tmp_path, rows)
    assert operator in operators(tmp_path)
    onnx.checker.check_model(str(tmp_path / ONNX_MODEL), full_check=True)
    original, variant = load_model(network), load_model(tmp_path)
    assert variant.signature == original.signature
    difference = np.abs(variant.predict(rows)["probability"] - original.predict(rows)["probability"])
    assert 0 < difference.max() < apart


def test_float16_scales_columns_and_results_as_exactly_as_before(network: Path, rows: Arrays, tmp_path: Path) -> None:
    """Body masses in grams have a variance that float16 does not hold, and a price in dollars more digits than it has."""
    graph = onnx.load(str(network / ONNX_MODEL))
    constants = {"mean": 4200.0, "variance": 640_000.0, "dollars": 51_234.0, "base": 300_000.0}
    graph.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()
    )
    node = onnx.helper.make_node
    first = next(each for each in graph.graph.node if "w0" in each.input)
    first.input[0] = "scaled"
    for place, each in enumerate(
        (
            node("Sub", ["h0", "mean"], ["centred"]),
            node("Sqrt", ["variance"], ["deviation"]),
            node("Div", ["centred", "deviation"], ["scaled"]),
        )
    ):
        graph.graph.node.insert(1 + place, each)
    graph.graph.node[-1].output[0] = "flattened"
    graph.graph.node.extend(
        [node("Mul", ["flattened", "dollars"], ["times"]), node("Add", ["times", "base"], ["probability"])]
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / ONNX_MODEL).write_bytes(graph.SerializeToString())
    (tmp_path / "model" / "signature.json").write_bytes((network / "signature.json").read_bytes())
    (tmp_path / "variant").mkdir()
    make_variant("float16", tmp_path / "model", tmp_path / "variant", rows)
    varied = onnx.load(str(tmp_path / "variant" / ONNX_MODEL)).graph
    assert next(each for each in varied.initializer if each.name == "w1").data_type == onnx.TensorProto.FLOAT16
    masses = {name: values * 800 + 4200 for name, values in rows.items()}
    original, variant = (load_model(tmp_path / each).predict(masses)["probability"] for each in ("model", "variant"))
    assert np.ptp(original) > 20_000
    assert np.abs(variant - original).max() < 0.002 * 51_234


def test_equal_models_have_equal_variants_byte_for_byte(network: Path, rows: Arrays, tmp_path: Path) -> None:
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
        make_variant("int8", network, tmp_path / folder, rows)
    names = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert names == ["model.onnx", "sha256.json", "signature.json"]
    assert [n for n in names if (tmp_path / "once" / n).read_bytes() != (tmp_path / "again" / n).read_bytes()] == []


def test_a_row_of_int8_is_answered_alike_alone_and_among_others(network: Path, rows: Arrays, tmp_path: Path) -> None:
    make_variant("int8", network, tmp_path, rows)
    model = load_model(tmp_path)
    together = model.predict(rows)["probability"]
    alone = [model.predict({name: values[[row]] for name, values in rows.items()})["probability"] for row in range(50)]
    assert np.concatenate(alone) == pytest.approx(together[:50], abs=1e-6)


SCALES = {feature.name: np.float32(10.0 ** (place % 6)) for place, feature in enumerate(FEATURES)}


@pytest.fixture
def unscaled(tmp_path: Path) -> Path:
    """A network whose columns are as grams beside tonnes, each of which counts as much as before."""
    model = write_network(tmp_path / "model", width=64, steepness=0.3)
    graph = onnx.load(str(model / ONNX_MODEL))
    first = next(each for each in graph.graph.initializer if each.name == "w0")
    weights = onnx.numpy_helper.to_array(first) / np.array(list(SCALES.values()))[:, None]
    first.CopyFrom(onnx.numpy_helper.from_array(weights.astype(np.float32), "w0"))
    (model / ONNX_MODEL).write_bytes(graph.SerializeToString())
    write_digests(model)
    return model


def test_int8_keeps_small_columns_beside_large_ones(
    unscaled: Path, rows: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(9)
    large, new = (
        {name: values * SCALES[name] for name, values in each.items()}
        for each in (rows, {name: random.normal(size=2_000).astype(np.float32) for name in rows})
    )
    expected = load_model(unscaled).predict(new)["probability"]
    (tmp_path / "int8").mkdir()
    make_variant("int8", unscaled, tmp_path / "int8", large)
    assert np.abs(load_model(tmp_path / "int8").predict(new)["probability"] - expected).max() < 0.02
    (tmp_path / "before").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(onnx_variants, "scale_columns", lambda *_: frozenset())
        make_variant("int8", unscaled, tmp_path / "before", large)
    assert np.abs(load_model(tmp_path / "before").predict(new)["probability"] - expected).max() > 0.1
    assert sorted(operators(tmp_path / "int8")) == sorted([*operators(tmp_path / "before"), "Mul"])


@pytest.mark.parametrize("kind", ["MatMul", "Gemm", "two products", "shared"])
def test_scales_that_move_into_the_weights_change_no_answer(kind: str) -> None:
    """Also where a product's matrix is transposed, two products take the same columns, or another node takes the matrix as well."""
    random = np.random.default_rng(4)
    weights = random.normal(size=(3, 5)).astype(np.float32)
    node, constants = onnx.helper.make_node, {"w": weights.T if kind == "Gemm" else weights}
    nodes = [
        node("Gemm", ["x", "w"], ["y"], transB=1, alpha=0.5) if kind == "Gemm" else node("MatMul", ["x", "w"], ["y"])
    ]
    if kind == "two products":
        constants["v"] = random.normal(size=(3, 5)).astype(np.float32)
        nodes = [*nodes, node("MatMul", ["x", "v"], ["z"]), node("Add", ["y", "z"], ["sum"])]
    if kind == "shared":
        nodes = [*nodes, node("ReduceSum", ["w"], ["all"]), node("Add", ["y", "all"], ["sum"])]
    result = nodes[-1].output[0]
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 3])],
        [onnx.helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, [None, 5])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    feed = {"x": (random.normal(size=(50, 3)) * [1e-3, 1.0, 1e4]).astype(np.float32)}
    expected = open_session(model.SerializeToString()).run([result], feed)[0]
    assert scale_columns(model, feed) == {"x scaled"}
    onnx.checker.check_model(model)
    assert [each.op_type for each in model.graph.node].count("Mul") == 1
    scaled = inner_values(model, ["x scaled"], feed)["x scaled"]
    assert np.abs(scaled).max(axis=0) == pytest.approx([1.0, 1.0, 1.0])
    assert open_session(model.SerializeToString()).run([result], feed)[0] == pytest.approx(expected, rel=1e-5, abs=1e-3)
    assert ("w" in {each.name for each in model.graph.initializer}) == (kind == "shared")


def test_columns_of_like_size_stay_as_they_are(network: Path, rows: Arrays) -> None:
    graph = onnx.load(str(network / ONNX_MODEL))
    before = graph.SerializeToString()
    given = {**rows, "x3": np.zeros_like(rows["x3"]), "x4": np.full_like(rows["x4"], 1e-40)}
    assert not scale_columns(graph, {name: values[:, None] for name, values in given.items()})
    assert graph.SerializeToString() == before


def test_the_tool_alone_would_let_other_rows_of_a_call_change_an_answer(
    network: Path, rows: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_variants, "_fix_ranges", lambda model, *_: model)
    make_variant("int8", network, tmp_path, rows)
    model = load_model(tmp_path)
    together = model.predict(rows)["probability"]
    alone = [model.predict({name: values[[row]] for name, values in rows.items()})["probability"] for row in range(50)]
    assert np.abs(np.concatenate(alone) - together[:50]).max() > 1e-4


def test_what_is_constant_is_calculated_ahead(network: Path, rows: Arrays, tmp_path: Path) -> None:
    graph = onnx.load(str(network / ONNX_MODEL))
    graph.graph.node.insert(0, onnx.helper.make_node("Neg", ["w2"], ["negative"]))
    graph.graph.node.insert(1, onnx.helper.make_node("Neg", ["negative"], ["w2 again"]))
    product = next(node for node in graph.graph.node if "w2" in node.input and node.op_type == "MatMul")
    product.input[1] = "w2 again"
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / ONNX_MODEL).write_bytes(graph.SerializeToString())
    (tmp_path / "model" / "signature.json").write_bytes((network / "signature.json").read_bytes())
    (tmp_path / "folded").mkdir()
    make_variant("folded", tmp_path / "model", tmp_path / "folded", rows)
    assert operators(tmp_path / "folded") == operators(network)
    expected = load_model(network).predict(rows)["probability"]
    assert load_model(tmp_path / "folded").predict(rows)["probability"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["float16", "int8"])
def test_a_model_without_products_has_nothing_to_make_smaller(name: str, rows: Arrays, tmp_path: Path) -> None:
    model = write_onnx_model(tmp_path / "model")
    (tmp_path / "variant").mkdir()
    with pytest.raises(ModelError, match=f"'{name}' needs a product with a constant matrix, and the model has none"):
        make_variant(name, model, tmp_path / "variant", rows)


def test_a_graph_that_stays_as_it_is_is_no_variant(network: Path, rows: Arrays, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'folded' changes nothing: the graph has the same 8 operators"):
        make_variant("folded", network, tmp_path, rows)
