"""Variants of ONNX models are made by onnxruntime's tools, hold operators of ONNX alone, and answer each row by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from components._core.errors import ModelError
from components._core.types.artifact_files import ONNX_MODEL
from components._frameworks.contract import Arrays
from components._frameworks.onnx_models import onnx_variants
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


def test_the_tool_alone_would_let_other_rows_of_a_call_change_an_answer(
    network: Path, rows: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_variants, "_fix_ranges", lambda model, feed: model)
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
