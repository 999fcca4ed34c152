"""What a SavedModel may do besides arithmetic: one that reads or writes files of its own choice is not loaded.

A SavedModel is a program. TensorFlow has operations that read and write any file, run Python, or open connections; a model
needs none of them, once it is trained: its variables and vocabularies lie in its own folder. Those that every SavedModel has,
to restore its variables and to fill its tables, are followed to where their file names come from.

Without TensorFlow: register and `naru rollback` have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components._core.errors import ModelError
from components._frameworks.protobuf_fields import Message

_GRAPH = "saved_model.pb"
_OTHER_FORMS = ("saved_model.pbtxt", "saved_model.cpb")
_REMEDY = "serve only models that train has made; look at who may write to the store"

_FORBIDDEN = re.compile(
    r"""
    ReadFile | WriteFile | MatchingFiles(Dataset)? | ExperimentalMatchingFilesDataset | RecordInput | Skipgram
    | (Eager)?PyFunc(Stateless)? | .*Reader(V2)? | Reader.* | LookupTableExport.*ToFile
    | Save | SaveSlices | Restore | RestoreSlice | DTensorRestoreV2 | DistributedSave | LoadAndRemapMatrix | GenerateVocabRemapping
    | .*(TFRecord|TextLine|FixedLengthRecord|CSV|Sql|LMDB|Snapshot|SnapshotChunk|ListSnapshotChunks).*Dataset.* | DatasetToTFRecord
    | ExperimentalDatasetToTFRecord | SnapshotNestedDatasetReader | (Save|Load)Dataset(V2)? | DataServiceDataset.*
    | RegisterDataset.* | .*SummaryWriter | CreateSummary.* | Write.*Summary | ImportEvent | .*StatsAggregator.*
    | Debug(Identity|NanCount|NumericSummary|Gradient).* | DumpTensor | ImmutableConst | FixedUnigramCandidateSampler
    | Rpc.* | TryRpc | RemoteCall | DeleteRpcFutureResource | _?(Host)?(Send|Recv)(V2)? | Collective.*
    | XlaCustomCall.* | _?XlaHostCompute.* | XlaSendToHost | XlaRecvFromHost | _XlaCompile.* | _XlaRun
    | (Initialize|Serialize|Create)TRTResource.* | TRTEngineOp | TfLiteSubgraphExecute | .*Gcs.* | .*BigQuery.* | .*Kafka.*
    | (_|.*)?(Configure|Initialize|Execute|Compile|Shutdown).*TPU.* | TPU(Compile|Execute).* | _TPU.* | FileSystemSet.*
    """,
    re.VERBOSE,
)
_SAVING = frozenset({"SaveV2", "MergeV2Checkpoints"})
_RESTORING = "RestoreV2"
_TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_CACHES = frozenset({"CacheDataset", "CacheDatasetV2"})
_STREAMS = frozenset({"", "stdout", "stderr", "log(info)", "log(warning)", "log(error)"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_PASSED_ON = frozenset({"Identity", "IdentityN", "StopGradient", "PreventGradient"})


@dataclass(frozen=True)
class Misuse:
    """An operation that a served model must not have.

    Attributes:
        operation: What TensorFlow calls it, as in `ReadFile`.
        name: What it is called in the graph: the layers that it is in, often.
        why: What it does, in a few words.
    """

    operation: str
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.operation} ({self.name}) {self.why}"


def check_saved_model(folder: Path) -> None:
    """Refuse a SavedModel that reads or writes other files than its own.

    Args:
        folder: The SavedModel's folder.

    Raises:
        ModelError: When it does, or cannot be read.
    """
    found = find_misuses(folder)
    if found:
        more = f"; and {len(found) - 1} more" if len(found) > 1 else ""
        raise ModelError(f"is not loaded: its {found[0]}{more}", where=str(folder / _GRAPH), remedy=_REMEDY)


def find_misuses(folder: Path) -> list[Misuse]:
    """Operations of a SavedModel by which it reads or writes other files than its own; errors as in `check_saved_model`."""
    for name in _OTHER_FORMS:
        if (folder / name).exists():
            message = f"is not loaded: {name} beside {_GRAPH}, of which TensorFlow would read one and not the other"
            raise ModelError(message, where=str(folder), remedy=f"remove {name}")
    try:
        graphs = Message((folder / _GRAPH).read_bytes()).messages(2)
        return [misuse for graph in graphs for misuse in _Graph(graph).misuses()]
    except (OSError, ValueError, IndexError, RecursionError) as error:
        message = f"does not load: {type(error).__name__}: {error}"
        raise ModelError(
            message, where=str(folder / _GRAPH), remedy="train the model again, without the cache"
        ) from error


class _Node:
    """One operation of the graph or of a function."""

    def __init__(self, message: Message) -> None:
        self.name, self.op, self.inputs = message.text(1), message.text(2), message.texts(3)
        self._attributes = message.mapping(5)

    @property
    def data(self) -> list[str]:
        """Its inputs, without those that it only waits for."""
        return [name for name in self.inputs if not name.startswith("^")]

    def text(self, attribute: str) -> str:
        held = self._attributes.get(attribute)
        return held.content(2).decode("utf-8", "replace") if held else ""

    @property
    def functions(self) -> list[str]:
        """The functions that it names: one that it calls, or several."""
        named = [self.op]
        for attribute in self._attributes.values():
            named += [func.text(1) for func in attribute.messages(10)]
            named += [func.text(1) for func in attribute.message(1).messages(9)]
        return named

    def is_empty_text(self) -> bool:
        held = self._attributes.get("value")
        tensor = held.message(8) if held else None
        return self.op == "Const" and tensor is not None and not any(tensor.contents(8)) and not tensor.content(4)


class _Scope:
    """The graph itself, or the body of a function: nodes by name, and for a function its arguments."""

    def __init__(self, nodes: list[Message], arguments: list[str]) -> None:
        self.nodes = {node.name: node for node in map(_Node, nodes)}
        self.arguments = arguments
        if len(self.nodes) < len(nodes):
            raise ValueError("duplicate operation name")


class _Graph:
    """A meta graph with its functions."""

    def __init__(self, meta_graph: Message) -> None:
        graph = meta_graph.message(2)
        self._main = _Scope(graph.messages(1), [])
        self._functions: dict[str, _Scope] = {}
        for function in graph.message(2).messages(1):
            signature = function.message(1)
            if signature.text(1) in self._functions:
                raise ValueError(f"duplicate function {signature.text(1)}")
            self._functions[signature.text(1)] = _Scope(
                function.messages(3), [argument.text(1) for argument in signature.messages(2)]
            )
        saver = meta_graph.message(3)
        self._assets = {_name(asset.message(1).text(1)): asset.text(2) for asset in meta_graph.messages(6)}
        self._checkpoint = _name(saver.text(1))
        self._saves = self._reached([saver.text(2)]) if saver.text(2) else set()
        self._restores = self._reached([saver.text(3)]) if saver.text(3) else set()
        self._runs = self._reached(list(_outputs(meta_graph)), list(meta_graph.message(7).mapping(2)))
        self._sites = self._call_sites()

    def misuses(self) -> list[Misuse]:
        assets = [
            Misuse("asset", path, "lies outside the model's own assets")
            for path in self._assets.values()
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "://" in path
        ]
        return assets + [misuse for place, node in self._every() if (misuse := self._look(place, node)) is not None]

    def _every(self) -> Iterator[tuple[str, _Node]]:
        """Each node with the name of its function; empty for the graph itself."""
        for node in self._main.nodes.values():
            yield "", node
        for name, function in self._functions.items():
            for node in function.nodes.values():
                yield name, node

    def _look(self, scope: str, node: _Node) -> Misuse | None:
        why = ""
        if _FORBIDDEN.fullmatch(node.op):
            why = "reads or writes files, runs Python or opens connections"
        elif node.op == "PrintV2" and node.text("output_stream") not in _STREAMS:
            why = f"prints to {node.text('output_stream')[:100]!r}"
        elif node.op in _CACHES and not self._is_in_memory(scope, node):
            why = "keeps a cache in a file"
        elif node.op in _SAVING:
            if not self._only_in(self._saves, scope, node) or self._in(self._restores, scope, node):
                why = "writes a checkpoint, and not to save the model"
        elif node.op == _RESTORING:
            if not self._only_in(self._restores, scope, node) or not self._comes_from(
                scope, node.data[0], {self._checkpoint}
            ):
                why = "reads a checkpoint that is not the model's own"
        elif node.op in _TABLES and not self._comes_from(scope, node.data[1], set(self._assets)):
            why = "fills a table from a file that is not an asset of the model"
        return Misuse(node.op, node.name, why) if why else None

    def _in(self, reached: set[tuple[str, str]], scope: str, node: _Node) -> bool:
        return (scope, node.name if not scope else "") in reached

    def _only_in(self, reached: set[tuple[str, str]], scope: str, node: _Node) -> bool:
        return self._in(reached, scope, node) and not self._in(self._runs, scope, node)

    def _is_in_memory(self, scope: str, node: _Node) -> bool:
        inside = self._functions[scope] if scope else self._main
        filename = inside.nodes.get(_name(node.data[1]))
        return filename is not None and filename.is_empty_text()

    def _reached(self, outputs: list[str], functions: list[str] | None = None) -> set[tuple[str, str]]:
        """What runs for these outputs of the graph and these functions: nodes of the graph as ("", name), functions as (name, "")."""
        reached: set[tuple[str, str]] = set()
        left = [("", _name(output)) for output in outputs] + [(name, "") for name in functions or []]
        while left:
            place = left.pop()
            if place in reached:
                continue
            reached.add(place)
            function, name = place
            if function:
                nodes = list(self._functions[function].nodes.values()) if function in self._functions else []
            else:
                nodes = [self._main.nodes[name]] if name in self._main.nodes else []
                left += [("", _name(given)) for node in nodes for given in node.inputs]
            left += [(called, "") for node in nodes for called in node.functions if called in self._functions]
        return reached

    def _call_sites(self) -> dict[str, list[tuple[str, _Node]]]:
        sites: dict[str, list[tuple[str, _Node]]] = {}
        for scope, node in self._every():
            for called in node.functions:
                if called in self._functions:
                    sites.setdefault(called, []).append((scope, node))
        return sites

    def _comes_from(self, scope: str, tensor: str, allowed: set[str]) -> bool:
        """Whether a text can only be what one of these nodes of the graph holds, through calls, and variables that keep it."""
        left, seen = [(scope, _name(tensor))], set[tuple[str, str]]()
        while left:
            place = left.pop()
            if place in seen:
                continue
            seen.add(place)
            function, name = place
            if not function and name in allowed:
                continue
            before = self._before(function, name)
            if not before:
                return False
            left += before
        return True

    def _before(self, function: str, name: str) -> list[tuple[str, str]]:
        """Where a tensor's value is from, one step back; empty: unknown, or it comes from nowhere else."""
        inside = self._functions[function] if function else self._main
        if name in inside.arguments:
            return self._given(function, inside.arguments.index(name))
        node = inside.nodes.get(name)
        if node is None:
            return []
        if node.op in _PASSED_ON:
            return [(function, _name(given)) for given in node.data]
        if node.op == "ReadVariableOp" and not function:
            return self._assigned(_name(node.data[0]))
        return []

    def _given(self, function: str, place: int) -> list[tuple[str, str]]:
        """What every call of a function gives for an argument; empty when there is none, or one that cannot be followed."""
        sites = self._sites.get(function, [])
        if any(node.op not in {*_CALLS, function} or place >= len(node.data) for _, node in sites):
            return []
        return [(scope, _name(node.data[place])) for scope, node in sites]

    def _assigned(self, variable: str) -> list[tuple[str, str]]:
        """What is assigned to a variable of the graph; empty when somebody may do so unseen."""
        users = [node for node in self._main.nodes.values() if variable in map(_name, node.data)]
        if any(node.op not in {"ReadVariableOp", "AssignVariableOp", "VarIsInitializedOp"} for node in users):
            return []
        return [("", _name(node.data[1])) for node in users if node.op == "AssignVariableOp"]


def _outputs(meta_graph: Message) -> Iterator[str]:
    """What the signatures give, and what is run when the model is loaded."""
    for signature in meta_graph.mapping(5).values():
        yield from (tensor.text(1) for tensor in signature.mapping(2).values())
    for name, collection in meta_graph.mapping(4).items():
        if name in ("saved_model_main_op", "legacy_init_op"):
            yield from collection.message(1).texts(1)


def _name(tensor: str) -> str:
    """The node, or argument, that a tensor belongs to."""
    return tensor.removeprefix("^").partition(":")[0]
