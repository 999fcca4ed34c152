"""Evaluate the analyzers of a preprocessing_fn in this process, one pass over the rows per phase, without Beam.

TensorFlow Transform describes each analyzer as a small graph: tensors, an accumulator fed with their values batch by
batch, a merge, outputs. Its accumulators are plain Python; Beam only carries the batches to them. Here a loop does,
which saves Beam's import and its overhead per element. Analyzers whose accumulation exists only as a Beam transform
(vocabularies by weight or by key, `PTransform`s) are not supported here: `beam_analysis.py` then evaluates the whole
function. It does so too when this module cannot be imported, because a release of TensorFlow Transform has moved one of
the names below, none of which it publishes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_transform import TFTransformOutput
from tensorflow_transform.analyzer_nodes import (
    TENSOR_REPLACEMENTS,
    CacheableCombineAccumulate,
    CacheableCombineMerge,
    ExtractCombineMergeOutputs,
    TensorSource,
    VocabularyAccumulate,
    VocabularyCount,
    VocabularyMerge,
    VocabularyOrderAndWrite,
    VocabularyPrune,
)
from tensorflow_transform.analyzers import get_empy_vocabulary_dummy_value
from tensorflow_transform.graph_context import TFGraphContext
from tensorflow_transform.graph_tools import InitializableGraphAnalyzer, get_analyzers_fingerprint
from tensorflow_transform.impl_helper import (
    METADATA_DIR_NAME,
    get_traced_transform_fn,
    trace_and_write_v2_saved_model,
    trace_preprocessing_function,
)
from tensorflow_transform.tf_metadata.metadata_io import read_metadata, write_metadata

from components.transform.preprocessing_fn import Preprocessing, Tensors

Batches = Callable[[], Iterator[Tensors]]

_SUPPORTED = (
    TensorSource,
    CacheableCombineAccumulate,
    CacheableCombineMerge,
    ExtractCombineMergeOutputs,
    VocabularyAccumulate,
    VocabularyMerge,
    VocabularyPrune,
    VocabularyCount,
    VocabularyOrderAndWrite,
)
_ACCUMULATORS = (CacheableCombineAccumulate, VocabularyAccumulate)
_FREQUENCY = 1  # TFT's ordering of a vocabulary by how often a token occurs


@dataclass
class Traced:
    """A preprocessing_fn, traced once with stand-ins for the results of its analyzers.

    Attributes:
        function: The preprocessing_fn.
        specs: Type and shape of the inputs by name.
        scratch: A folder for temporary files.
        graph: The traced graph.
        inputs: Input tensors by name.
        outputs: Result of the function.
        sinks: The tensors that stand for results of analyzers.
    """

    function: Preprocessing
    specs: dict[str, tf.TensorSpec]
    scratch: Path
    graph: tf.Graph = field(init=False)
    inputs: Any = field(init=False)
    outputs: Any = field(init=False)
    sinks: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.graph, self.inputs, self.outputs = trace_preprocessing_function(
            self.function, self.specs, use_tf_compat_v1=False, base_temp_dir=str(self.scratch)
        )
        self.sinks = list(self.graph.get_collection(TENSOR_REPLACEMENTS))

    def supported(self) -> bool:
        """Whether every analyzer can be evaluated here."""
        return all(_supported(operation) for sink in self.sinks for operation in _operations(sink.future))

    def ready(self, found: Mapping[str, tf.Tensor]) -> list[Any]:
        """Return the unresolved sinks whose analyzers depend only on inputs and results so far."""
        known = [(sink.tensor, sink.tensor.name in found) for sink in self.sinks]
        analyzer = InitializableGraphAnalyzer(self.graph, self.inputs, known)
        waiting = [sink for sink in self.sinks if sink.tensor.name not in found]
        return [sink for sink in waiting if all(map(analyzer.ready_to_run, _sources(sink.future)))]

    def extractor(self, found: Mapping[str, tf.Tensor], names: list[str]) -> Callable[[Tensors], Tensors]:
        """Build a function from inputs to the tensors of those names, which may depend on results so far."""
        context = TFGraphContext(tf.Module(), str(self.scratch), dict(found))
        outputs = {name: name for name in names}
        traced = get_traced_transform_fn(self.function, self.specs, context, outputs)
        concrete: Callable[[Tensors], Tensors] = traced.get_concrete_function()
        concrete.kept = context.module_to_export  # type: ignore[attr-defined]  # its tables die with the module
        return concrete

    def write(self, found: Mapping[str, tf.Tensor], folder: Path) -> None:
        """Save the function with the analyzers' results inside, and its metadata."""
        trace_and_write_v2_saved_model(
            str(folder),
            self.function,
            self.specs,
            str(self.scratch),
            get_analyzers_fingerprint(self.graph, self.inputs),
            dict(found),
            None,
            None,
        )


def analyse(traced: Traced, batches: Batches, transform_graph: Path) -> int:
    """Evaluate the analyzers and write the transform graph as TFTransformOutput reads it.

    Args:
        traced: The traced preprocessing_fn.
        batches: Starts a pass over the training rows; yields tensors [rows] by feature name.
        transform_graph: Folder to write `transform_fn/` and `transformed_metadata/` into.

    Returns:
        The number of passes over the rows; 0 when there are no analyzers.
    """
    found: dict[str, tf.Tensor] = {}
    passes = 0
    while len(found) < len(traced.sinks):
        ready = traced.ready(found)
        if not ready:
            raise ValueError("the analyzers of preprocessing_fn depend on one another in a cycle")
        found |= _one_pass(traced, ready, found, batches)
        passes += 1
    graph = transform_graph / TFTransformOutput.TRANSFORM_FN_DIR
    traced.write(found, graph)
    metadata = read_metadata(str(graph / METADATA_DIR_NAME))
    write_metadata(metadata, str(transform_graph / TFTransformOutput.TRANSFORMED_METADATA_DIR))
    return passes


def _one_pass(traced: Traced, sinks: list[Any], found: dict[str, tf.Tensor], batches: Batches) -> Tensors:
    operations = {id(operation): operation for sink in sinks for operation in _operations(sink.future)}
    accumulations = {
        key: _Accumulation(operation)
        for key, operation in operations.items()
        if isinstance(operation.operation_def, _ACCUMULATORS)
    }
    wanted = sorted({name for accumulation in accumulations.values() for name in accumulation.tensors})
    extract = traced.extractor(found, wanted)
    for batch in batches():
        values = {name: tensor.numpy() for name, tensor in extract(batch).items()}
        for accumulation in accumulations.values():
            accumulation.add(values)
    evaluation = _Evaluation(traced.scratch, {key: accumulation.state for key, accumulation in accumulations.items()})
    return {sink.tensor.name: tf.constant(evaluation.value(sink.future), sink.tensor.dtype) for sink in sinks}


class _Accumulation:
    """One analyzer's accumulator."""

    def __init__(self, operation: Any) -> None:
        self.tensors = [tensor.name for tensor in operation.inputs[0].parent_operation.operation_def.tensors]
        self._combiner = getattr(operation.operation_def, "combiner", None)
        self.state: Any = self._combiner.create_accumulator() if self._combiner else Counter()

    def add(self, values: dict[str, NDArray[Any]]) -> None:
        """Add a batch to the accumulator."""
        if self._combiner:
            self.state = self._combiner.add_input(self.state, [values[name] for name in self.tensors])
        else:
            self.state.update(values[self.tensors[0]].tolist())


class _Evaluation:
    """Computes the analyzers' results from the accumulators after a pass."""

    def __init__(self, scratch: Path, states: dict[int, Any]) -> None:
        self._scratch = scratch
        self._states = states
        self._outputs: dict[int, tuple[Any, ...]] = {}

    def value(self, node: Any) -> Any:
        """Compute the value of a node of TFT's analysis graph."""
        operation = node.parent_operation
        if id(operation) not in self._outputs:
            self._outputs[id(operation)] = self._compute(operation)
        return self._outputs[id(operation)][node.value_index]

    def _compute(self, operation: Any) -> tuple[Any, ...]:
        definition = operation.operation_def
        if isinstance(definition, _ACCUMULATORS):
            return (self._states[id(operation)],)
        found = self.value(operation.inputs[0])
        match definition:
            case CacheableCombineMerge():
                return (definition.combiner.extract_output(definition.combiner.merge_accumulators([found])),)
            case ExtractCombineMergeOutputs():
                return tuple(found)
            case VocabularyMerge():
                return ([(count, token) for token, count in found.items()],)
            case VocabularyPrune():
                return (_pruned(definition, found),)
            case VocabularyCount():
                return (np.int64(max(len(found), 1)),)  # an empty vocabulary is written with one stand-in token
            case _:
                return (_write_vocabulary(definition, found, self._scratch),)


def _pruned(definition: Any, counts: list[tuple[int, Any]]) -> list[tuple[int, bytes]]:
    as_bytes = (
        (lambda token: token) if definition.input_dtype == tf.string.name else (lambda token: str(token).encode())
    )
    kept = [(count, as_bytes(token)) for count, token in counts if count >= (definition.frequency_threshold or 0)]
    return kept if definition.top_k is None else sorted(kept, reverse=True)[: definition.top_k]


def _write_vocabulary(definition: Any, counts: list[tuple[int, bytes]], scratch: Path) -> NDArray[Any]:
    """Write a vocabulary as TFT does: most frequent token first, equally frequent ones in descending byte order."""
    ordered = sorted(counts, reverse=True) or [get_empy_vocabulary_dummy_value(definition.input_dtype)]
    lines = [b"%d %s" % (count, token) if definition.store_frequency else token for count, token in ordered]
    path = scratch / definition.vocab_filename
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return np.array(str(path))


def _operations(node: Any) -> Iterator[Any]:
    """Yield the operations that a node depends on, including itself; some more than once."""
    yield node.parent_operation
    for value in node.parent_operation.inputs:
        yield from _operations(value)


def _sources(node: Any) -> list[tf.Tensor]:
    found = [operation.operation_def for operation in _operations(node)]
    return [tensor for source in found if isinstance(source, TensorSource) for tensor in source.tensors]


def _supported(operation: Any) -> bool:
    definition = operation.operation_def
    match definition:
        case VocabularyAccumulate():
            return bool(definition.vocab_ordering_type == _FREQUENCY)
        case VocabularyPrune():
            return definition.key_fn is None and not definition.coverage_top_k
        case VocabularyOrderAndWrite():
            plain = definition.file_format == "text" and not definition.fingerprint_shuffle
            return plain and len(operation.inputs) == 1
        case _:
            return isinstance(definition, _SUPPORTED)
