"""An ONNX file from outside: read within bounds, and refused if it would do more than calculate, or does not take rows of a table."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError

from components._core.errors import ModelError
from components._core.stage.code_archives import MAX_MODEL_BYTES
from components._frameworks.onnx_models.onnx_model import open_session, reason_of

OPSETS = (7, 23)
"""Versions of the operators that every onnxruntime in use runs; Caffe2, CNTK and MXNet wrote 7 to 10."""
FORMATS = (3, 11)
"""Versions of the format (IR) that they read."""
_MOST_OPERATORS = 100_000
"""Operators that the functions of a file may become."""
_LONGEST_NAME = 200
_ML = "ai.onnx.ml"
_DOMAINS = {"": "", "ai.onnx": "", _ML: _ML}
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_NUMBERS = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
_KINDS = {**_NUMBERS, "tensor(string)": "string"}
"""Names of the types of inputs, as in NumPy, by onnxruntime's."""
EXPORT_ROWS = "export it with rows of any number, as in torch.onnx.export(..., dynamic_axes={'INPUT': {0: 'rows'}})"


@dataclass(frozen=True)
class FileInput:
    """One input of the file.

    Attributes:
        name: Its name.
        kind: Type of its values: `float32`, `float64`, `float16`, `int64`, `int32`, `bool` or `string`.
        rank: 2 for [rows, width], 1 for [rows].
        width: Values per row; None: the file does not say.
        one_row: Whether the file takes a single row at a time.
    """

    name: str
    kind: str
    rank: int
    width: int | None
    one_row: bool = False

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""
        return self.kind == "string"

    def describe(self) -> str:
        """Describe what it takes of a row, as in `4 numbers (float32)`."""
        word, kind = ("text", "") if self.is_text else ("number", f" ({self.kind})")
        if self.width is None:
            return f"{word}s{kind}, and the file does not say how many,"
        return f"{self.width} {word}{'' if self.width == 1 else 's'}{kind}"


@dataclass(frozen=True)
class FileOutput:
    """One output of the file.

    Attributes:
        name: Its name.
        kind: Type of its values, as of an input; empty for one that is neither a tensor nor a map by class.
        width: Values per row: 1 also for [rows]; None: the file does not say.
        is_map: Whether it is a list with a dictionary by class for each row, as scikit-learn's converter writes.
    """

    name: str
    kind: str
    width: int | None
    is_map: bool = False

    @property
    def is_real(self) -> bool:
        """Whether its values may be probabilities or predictions."""
        return self.kind.startswith("float")


class ModelFile:
    """A file that was read, checked and opened.

    Attributes:
        name: Name of the file, for messages.
        sha256: Digest of its bytes.
        proto: The model, with the file's own functions in place of their calls.
        session: onnxruntime's session of the file as it is.
        inputs: Its inputs.
        outputs: Its outputs.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        """Read a file.

        Args:
            path: The file.
            name: Its name for messages; empty: that of the path.

        Raises:
            ModelError: When it is not an ONNX file, is too large, would do more than calculate, or does not take rows of a table.
        """
        self.name = name or path.name
        content = self._read(path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.proto = self._parse(content)
        self._check_versions()
        self._check_graph()
        self._forget_unused_domains()
        try:
            self.session = open_session(self.proto.SerializeToString())
        except Exception as error:  # the errors of onnxruntime have no public class in common
            raise self._error(f"onnxruntime does not load it: {reason_of(error)}", "export it again") from error
        self.inputs = tuple(self._input(each) for each in self.session.get_inputs())
        self.outputs = tuple(map(_output, self.session.get_outputs()))
        longest = max(len(name) for name in [each.name for each in self.inputs] + [each.name for each in self.outputs])
        if longest > _LONGEST_NAME:
            raise self._error(f"has a name of {longest:,} characters", "export it with shorter names")
        if not self.inputs:
            raise self._error("takes no input", "export a model that takes the columns of a row")

    @property
    def one_row(self) -> bool:
        """Whether it takes a single row at a time."""
        return any(each.one_row for each in self.inputs)

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators."""
        return self.opsets.get("", 0)

    @cached_property
    def opsets(self) -> dict[str, int]:
        """Version of the operators by their domain."""
        return {_DOMAINS.get(each.domain, each.domain): each.version for each in self.proto.opset_import}

    def facts(self) -> dict[str, str]:
        """What the file is, for a person."""
        named = [self.proto.producer_name[:_LONGEST_NAME], self.proto.producer_version[:_LONGEST_NAME]]
        maker = " ".join(filter(None, named)) or "unknown"
        versions = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in sorted(self.opsets.items()))
        return {
            "file": self.name,
            "sha256": self.sha256,
            "made by": maker,
            "operators": f"{sum(self.count_operators().values())} ({versions}; format {self.proto.ir_version})",
        }

    def count_operators(self) -> Counter[str]:
        """Count the operators by their kind."""
        return Counter(node.op_type for node in _nodes(self.proto.graph))

    def _error(self, problem: str, remedy: str) -> ModelError:
        return ModelError(problem, where=self.name, remedy=remedy)

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as stream:
                content = stream.read(MAX_MODEL_BYTES + 1)
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror}", "name a readable file") from None
        if len(content) > MAX_MODEL_BYTES:
            remedy = "export a smaller one, such as fewer or shallower trees"
            raise self._error(f"is larger than {MAX_MODEL_BYTES >> 20} MiB, the limit for a model", remedy)
        return content

    def _parse(self, content: bytes) -> onnx.ModelProto:
        try:
            proto = onnx.load_model_from_string(content)
        except (DecodeError, ValueError, TypeError) as error:
            raise self._error("is not an ONNX file, or is damaged", "export the model as ONNX") from error
        if not proto.graph.node or not proto.ir_version:
            raise self._error("is not an ONNX file: there is no graph in it", "export the model as ONNX")
        if not proto.functions:
            return proto
        self._check_functions(proto)
        try:
            return onnx.inliner.inline_local_functions(proto)
        except Exception as error:  # a binding to C++
            message = f"its functions cannot be put in place of their calls: {type(error).__name__}"
            raise self._error(message, "export it without functions") from error

    def _check_functions(self, proto: onnx.ModelProto) -> None:
        """Refuse functions that call themselves, or make so many operators that the file would fill the memory."""
        bodies = {(each.domain, each.name): [*each.node] for each in proto.functions}
        sizes: dict[tuple[str, str], int | None] = {}

        def size(nodes: Iterable[onnx.NodeProto]) -> int:
            total = 0
            for node in nodes:
                total += body(key) if (key := (node.domain, node.op_type)) in bodies else 1
                total += sum(size(graph.node) for graph in _graphs_of(node))
            return total

        def body(key: tuple[str, str]) -> int:
            if key in sizes and sizes[key] is None:
                raise self._error(f"its function {key[1][:100]!r} calls itself", "export it without functions")
            if key not in sizes:
                sizes[key] = None
                sizes[key] = size(bodies[key])
            return sizes[key] or 0

        if size(proto.graph.node) > _MOST_OPERATORS:
            raise self._error(
                f"its functions make more than {_MOST_OPERATORS:,} operators", "export it without functions"
            )

    def _check_versions(self) -> None:
        ir, opset = self.proto.ir_version, self.opset
        if not FORMATS[0] <= ir <= FORMATS[1]:
            message = f"has the format (IR version) {ir}; allowed: {FORMATS[0]} to {FORMATS[1]}"
            raise self._error(message, "export it with another release of onnx, as of 2019 to 2025")
        if opset and not OPSETS[0] <= opset <= OPSETS[1]:
            message = f"needs version {opset} of the operators (opset); allowed: {OPSETS[0]} to {OPSETS[1]}"
            remedy = (
                "export it with another, as in torch.onnx.export(..., opset_version=17), or use onnx.version_converter"
            )
            raise self._error(message, remedy)

    def _check_graph(self) -> None:
        for node in _nodes(self.proto.graph):
            if node.domain not in _DOMAINS:
                message = f"its operator {node.op_type[:100]} is one of {node.domain[:100]!r}, not of ONNX"
                raise self._error(
                    message, "export it with operators of ONNX alone; a runtime's optimised file is not portable"
                )
            if node.op_type in _RANDOM:
                message = f"its operator {node.op_type} draws random numbers, so it would not answer a row alike twice"
                raise self._error(message, "export it for inference")
            for tensor in _tensors_of(node):
                self._check_tensor(tensor)
        for graph in _graphs(self.proto.graph):
            for tensor in graph.initializer:
                self._check_tensor(tensor)
            if graph.sparse_initializer:
                raise self._error("has sparse weights, which are not supported", "export it with dense weights")

    def _check_tensor(self, tensor: onnx.TensorProto) -> None:
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            message = f"its weights {tensor.name[:100]!r} are in another file"
            remedy = (
                "write one file: onnx.save_model(onnx.load('MODEL.onnx'), 'WHOLE.onnx', save_as_external_data=False)"
            )
            raise self._error(message, remedy)

    def _forget_unused_domains(self) -> None:
        """Leave out what converters declare and do not use, and what only tools read."""
        used = {node.domain for node in _nodes(self.proto.graph)}
        kept = [each for each in self.proto.opset_import if each.domain in _DOMAINS or each.domain in used]
        del self.proto.opset_import[:]
        self.proto.opset_import.extend(kept)
        del self.proto.metadata_props[:], self.proto.training_info[:], self.proto.functions[:]
        del self.proto.graph.quantization_annotation[:]

    def _input(self, found: Any) -> FileInput:
        where = f"its input {found.name!r}"
        if found.type not in _KINDS:
            message = f"{where} takes {found.type}; allowed: {', '.join(sorted(_KINDS))}"
            raise self._error(message, "export it with one of these types")
        shape = list(found.shape or [])
        if len(shape) not in (1, 2):
            message = f"{where} has the shape {_shown(shape)}; allowed: [rows, columns] or [rows]"
            raise self._error(message, "export a model that takes rows of a table")
        rows, *rest = shape
        one_row = rows == 1
        if isinstance(rows, int) and not one_row:
            if not rest:
                message = f"{where} has the shape {_shown(shape)}: one row without a dimension for rows"
            else:
                message = (
                    f"{where} has the shape {_shown(shape)}: it takes {rows} rows at a time, neither more nor fewer"
                )
            raise self._error(message, EXPORT_ROWS)
        width = 1 if not rest else rest[0] if isinstance(rest[0], int) else None
        return FileInput(found.name, _KINDS[found.type], len(shape), width, one_row)


def _shown(shape: list[Any]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _output(found: Any) -> FileOutput:
    is_map = found.type.startswith("seq(map(")
    if is_map:
        return FileOutput(found.name, "float32" if found.type.endswith(",tensor(float)))") else "", None, True)
    shape = list(found.shape or [])
    width = None
    if len(shape) == 1:
        width = 1
    elif len(shape) == 2 and isinstance(shape[1], int):
        width = shape[1]
    return FileOutput(found.name, _KINDS.get(found.type, ""), width)


def _graphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that an operator has inside, such as the body of a loop; not those further inside."""
    for attribute in node.attribute:
        yield from (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and all those inside of its operators."""
    yield graph
    for node in graph.node:
        for inner in _graphs_of(node):
            yield from _graphs(inner)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for each in _graphs(graph):
        yield from each.node


def _tensors_of(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
