"""Variants of an ONNX model that may answer faster, made by the tools of onnxruntime itself; for the models of every framework that ends in ONNX.

onnxruntime optimises a graph whenever it opens one, so that `folded` mostly opens sooner and answers as fast. Of trees nothing can be
quantised: `float16` and `int8` are for models with matrix products, such as networks and linear models.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from components._core.errors import ModelError
from components._core.types.artifact_files import ONNX_MODEL, SAVED_MODEL, STRUCTURE
from components._core.types.signature import Signature
from components._frameworks.contract import Arrays
from components._frameworks.onnx_models.artifact import write_artifact
from components._frameworks.onnx_models.column_scales import PRODUCTS, inner_values, scale_columns
from components._frameworks.onnx_models.onnx_model import open_model, reason_of
from components._frameworks.onnx_models.onnx_names import names_taken

_QUIET = 4
_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
_LEVELS = 255
"""Steps between the least and the greatest uint8."""
_ROOM = 1.25
"""Without it the worst of 4,000 rows was off by 0.020 to 0.052 of a probability, with it by 0.009 to 0.030, and the mean is off by 5 % more."""


def make_variant(name: str, model: Path, folder: Path, rows: Arrays) -> None:
    """Write a variant of a model artifact; see `Framework.make_variant`.

    Args:
        name: `folded`, `float16` or `int8`.
        model: The artifact.
        folder: An empty folder.
        rows: Training rows, as `Model.predict` takes them; `int8` goes by the range of their numbers.

    Raises:
        ModelError: When the model has nothing that the variant could change, or the tool cannot change it.
    """
    signature = Signature.load(model)
    content = vary(
        name, onnx.load(str(model / ONNX_MODEL)), lambda: open_model(signature, model).feed(rows), allow_same=False
    )
    for part in (STRUCTURE, SAVED_MODEL):
        if (model / part).is_dir():
            shutil.copytree(model / part, folder / part)
        elif (model / part).is_file():
            shutil.copyfile(model / part, folder / part)
    write_artifact(folder, content, signature, (), None)


def vary(name: str, graph: onnx.ModelProto, feed: Callable[[], Arrays], *, allow_same: bool = True) -> bytes:
    """Return a variant of a graph as the bytes of an ONNX file; the same graph gives the same bytes.

    Args:
        name: `folded`, `float16` or `int8`.
        graph: The graph; it may be changed.
        feed: Gives training rows as the graph takes them, by the names of its inputs.
        allow_same: Whether a graph that stays as it is may be returned.

    Raises:
        ModelError: When the graph has nothing that the variant could change, or the tool cannot change it.
    """
    nodes = [node.op_type for node in graph.graph.node]
    if name == "folded":
        changed = _without_advice(lambda: _fold(graph))
    elif name == "float16":
        changed = _without_advice(lambda: _halve(graph))
    else:
        _require_products(graph, "int8")
        rows = feed()
        scaled = scale_columns(graph, rows)
        changed = _fix_ranges(_without_advice(lambda: _quantise(graph)), rows, scaled)
    _tidy(changed)
    if not allow_same and [node.op_type for node in changed.graph.node] == nodes:
        raise ModelError(f"{name!r} changes nothing: the graph has the same {len(nodes)} operators afterwards")
    return bytes(changed.SerializeToString(deterministic=True))


def _fold(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Let onnxruntime calculate what is constant and write the graph; only with operators of ONNX itself."""
    with tempfile.TemporaryDirectory(prefix="naru-fold-") as place:
        written = Path(place) / ONNX_MODEL
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(written)
        options.log_severity_level = _QUIET
        try:
            onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the errors of onnxruntime have no public class in common
            raise ModelError(f"onnxruntime cannot fold it: {reason_of(error)}") from error
        return onnx.load(str(written))


def _halve(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Calculate in float16 from the first product to the last; inputs and outputs keep their types.

    What is before and after stays as it is, because float16 ends at 65,504 and has three digits: the variance of a weight in grams is infinite
    in it, and a price in dollars is rounded to tens.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _require_products(graph, "float16")
    for number, node in enumerate(graph.graph.node):
        node.name = f"n{number}"
    own = {node.name for node in graph.graph.node}
    outside = own - _between_products(graph.graph)
    changed: onnx.ModelProto = convert_float_to_float16(graph, keep_io_types=True, node_block_list=sorted(outside))
    _skip_casts(changed.graph, own)
    return changed


def _between_products(graph: onnx.GraphProto) -> set[str]:
    """Return the names of a graph's products and of the nodes that take from one and lead to one."""
    products = {node.name for node in graph.node if node.op_type in PRODUCTS}
    behind, before = set(products), set(products)
    for nodes, found, given, taken in (
        (list(graph.node), behind, "input", "output"),
        (list(reversed(graph.node)), before, "output", "input"),
    ):
        reached: set[str] = set()
        for node in nodes:
            if node.name in products or reached.intersection(getattr(node, given)):
                found.add(node.name)
                reached.update(getattr(node, taken))
    return behind & before


def _skip_casts(graph: onnx.GraphProto, own: set[str]) -> None:
    """Pass on as they are the numbers that the tool makes float16 and float32 again, between two nodes that it leaves alone.

    Args:
        graph: The graph; it is changed.
        own: Names of the nodes that were there before.
    """
    added = {node.output[0]: node for node in graph.node if node.op_type == "Cast" and node.name not in own}
    kept = {name: added[node.input[0]].input[0] for name, node in added.items() if node.input[0] in added}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = kept.get(name, name)
    for result in graph.output:
        if result.name in kept:
            identity = onnx.helper.make_node("Identity", [kept[result.name]], [result.name], added[result.name].name)
            added[result.name].CopyFrom(identity)
    while unused := _unused(graph, own):
        for node in unused:
            graph.node.remove(node)


def _unused(graph: onnx.GraphProto, own: set[str]) -> list[onnx.NodeProto]:
    """Return the added nodes from which nothing is taken."""
    used = {each.name for each in graph.output}.union(*(node.input for node in _nodes(graph)))
    return [node for node in graph.node if node.name not in own and used.isdisjoint(node.output)]


def _quantise(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Keep the matrices of products as int8, and calculate with these."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(prefix="naru-quantise-") as place:
        written = Path(place) / ONNX_MODEL
        quantize_dynamic(
            graph,
            written,
            op_types_to_quantize=list(PRODUCTS),
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return onnx.load(str(written))


def _fix_ranges(model: onnx.ModelProto, feed: Arrays, roomy: Collection[str] = ()) -> onnx.ModelProto:
    """Scale what goes into a product by its range over training rows.

    The tool scales it by its range over the rows of each call: a row's answer would depend on the other rows of the request (by up to
    0.09 of a probability, measured).

    Args:
        model: The graph; it is changed.
        feed: Training rows as the graph takes them, by the names of its inputs.
        roomy: Tensors of whose columns each reaches the end of the range, so that new rows are beyond it more often than with one large column.
    """
    scaled = [node for node in model.graph.node if node.op_type == "DynamicQuantizeLinear"]
    values = inner_values(model, [node.input[0] for node in scaled], feed)
    for node in scaled:
        taken, (quantised, scale, zero) = node.input[0], node.output
        finite = values[taken][np.isfinite(values[taken])]
        low, high = min(float(finite.min(initial=0.0)), 0.0), max(float(finite.max(initial=0.0)), 0.0)
        if taken in roomy:
            low, high = low * _ROOM, high * _ROOM
        step = (high - low) / _LEVELS or 1.0
        model.graph.initializer.append(numpy_helper.from_array(np.array(step, np.float32), scale))
        model.graph.initializer.append(numpy_helper.from_array(np.array(round(-low / step), np.uint8), zero))
        node.CopyFrom(onnx.helper.make_node("QuantizeLinear", [taken, scale, zero], [quantised]))
    return model


def _require_products(graph: onnx.ModelProto, name: str) -> None:
    """Refuse a graph without products of a constant matrix, in which the numbers of networks and linear models are.

    Raises:
        ModelError: When it has none.
    """
    constants = {each.name for each in graph.graph.initializer if len(each.dims) == 2}
    constants |= {node.output[0] for node in graph.graph.node if node.op_type == "Constant"}
    if not any(node.op_type in PRODUCTS and constants.intersection(node.input) for node in graph.graph.node):
        kinds = ", ".join(sorted({node.op_type for node in graph.graph.node if node.domain == "ai.onnx.ml"})[:3])
        of = f" (it calculates by {kinds})" if kinds else ""
        raise ModelError(f"{name!r} needs a product with a constant matrix, and the model has none{of}")


def _tidy(model: onnx.ModelProto) -> None:
    """Remove what a tool leaves behind: operator sets that no node uses, notes to runtimes, names that differ from call to call.

    Raises:
        ModelError: When a node is of a runtime and not of ONNX: such a graph is not served.
    """
    _sort(model.graph)
    foreign = sorted({node.op_type for node in _nodes(model.graph) if node.domain not in _STANDARD})
    if foreign:
        raise ModelError(f"the tool made operators that are not of ONNX itself: {', '.join(foreign[:3])}")
    used = {node.domain for node in _nodes(model.graph)} | {""}
    kept = sorted(((each.domain, each.version) for each in model.opset_import if each.domain in used), key=str)
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in kept)
    del model.metadata_props[:]
    del model.graph.value_info[:]
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}"
        del node.metadata_props[:]
    model.producer_name, model.producer_version, model.doc_string = "naru", "", ""


def _sort(graph: onnx.GraphProto) -> None:
    """Put each node behind those that it takes from, as ONNX wants it; the tool of float16 adds its casts at the end.

    Raises:
        ModelError: When there is no such order.
    """
    missing = {output for node in graph.node for output in node.output} - {""}
    waiting, ordered = [(node, names_taken(node) & missing) for node in graph.node], list[onnx.NodeProto]()
    while waiting:
        place = next((place for place, (_, taken) in enumerate(waiting) if missing.isdisjoint(taken)), None)
        if place is None:
            raise ModelError("the tool made a graph whose nodes take from one another")
        ordered.append(waiting.pop(place)[0])
        missing.difference_update(ordered[-1].output)
    del graph.node[:]
    graph.node.extend(ordered)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs inside of it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for below in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _nodes(below)


def _without_advice(make: Callable[[], onnx.ModelProto]) -> onnx.ModelProto:
    """Call a tool of onnxruntime without the advice that it gives to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return make()
    finally:
        logging.disable(before)
