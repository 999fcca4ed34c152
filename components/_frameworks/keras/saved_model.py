"""Call a saved model as a server would: raw, named features in, named outputs out.

Needs TensorFlow and nothing else: the transform graph is inside the SavedModel, so TensorFlow Transform is not imported.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from components._core.errors import ModelError
from components._core.types.artifact_files import SAVED_MODEL, SIGNATURE
from components._core.types.signature import Signature
from components._frameworks.contract import Gradients, Model
from components._frameworks.feature_arrays import take_feature
from components._frameworks.keras.gradients import gradients_of
from components._frameworks.keras.structure import inputs_that_reach
from components._frameworks.keras.tensor_names import SERVING, tensor_names
from components._frameworks.keras.tensorflow_errors import reason_of

_REMEDY = "train the model again, without the cache"
_LOADING = threading.Lock()  # the level of TensorFlow's logger is one for all threads


class LoadedModel(Model):
    """A SavedModel in memory.

    It is called through a session, not as TensorFlow 2's function: the answers are the same but for the last bits of a float32, and
    Python's part of a call, most of it for a few rows, is a fraction of a function's.

    Args:
        signature: What it takes and gives.
        saved_model: Its SavedModel's folder; it must stay for `serve`.

    Attributes:
        signature: What it takes and gives.
    """

    def __init__(self, signature: Signature, saved_model: Path) -> None:
        self.signature = signature
        self._saved_model = saved_model
        self._names = tensor_names(signature.inputs)
        self._types = [(feature.name, feature.type) for feature in signature.inputs]
        self._call = _callable(signature, saved_model)

    def predict(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        fed = [take_feature(name, kind, arrays) for name, kind in self._types]
        try:
            outputs = map(_array, self._call(*fed))
            return dict(zip(self.signature.outputs, outputs, strict=True))
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise ModelError(f"the model failed on these rows: {reason_of(error)}") from error

    def serve(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The serving function itself, tensors by feature name in and outputs out, so that gradients flow through it."""
        outputs: dict[str, tf.Tensor] = self._function(**{self._names[name]: value for name, value in tensors.items()})
        return outputs

    def gradients(self) -> Gradients:
        return gradients_of(self.signature, self.serve)

    def connected_inputs(self) -> frozenset[str]:
        return inputs_that_reach(self._saved_model, self.signature)

    @cached_property
    def _function(self) -> Any:
        self._restored = tf.saved_model.load(str(self._saved_model))  # keeps the variables and vocabulary tables alive
        return self._restored.signatures[SERVING]


def open_model(signature: Signature, model: Path) -> LoadedModel:
    """Bring a model artifact into memory, whose files were verified and checked before.

    Args:
        signature: The model's signature.
        model: The artifact's folder; it must stay where it is while the model is used.

    Raises:
        ModelError: When the SavedModel is damaged or does not fit the signature.
    """
    try:
        return LoadedModel(signature, model / SAVED_MODEL)
    except (tf.errors.OpError, DecodeError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"does not load: {reason_of(error)}", where=str(model), remedy=_REMEDY) from error


def _callable(signature: Signature, saved_model: Path) -> Callable[..., list[NDArray[Any]]]:
    """Takes arrays in the order of the signature's inputs, gives arrays in the order of its outputs."""
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)  # has variables and tables of its own, whatever their names elsewhere
    with graph.as_default(), _LOADING, _without_remarks():
        loaded = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(saved_model))
        empty = _empty_variables(graph, session)
    serving, names = loaded.signature_def[SERVING], tensor_names(signature.inputs)
    fed, fetched = [names[feature.name] for feature in signature.inputs], list(signature.outputs)
    problems = [f"its variable {name} stays empty" for name in empty]
    problems += [f"it takes no {name!r}, which {SIGNATURE} names" for name in fed if name not in serving.inputs]
    problems += [f"it gives no {name!r}, which {SIGNATURE} names" for name in fetched if name not in serving.outputs]
    if problems:
        raise ModelError(f"does not load: {problems[0]}", where=str(saved_model), remedy=_REMEDY)
    options = CallableOptions()
    options.feed.extend(serving.inputs[name].name for name in fed)
    options.fetch.extend(serving.outputs[name].name for name in fetched)
    # not its public `make_callable`: that goes the way of `run` as soon as something is fed, in three times the time
    call: Callable[..., list[NDArray[Any]]] = session._make_callable_from_options(options)
    return call


def _empty_variables(graph: tf.Graph, session: tf.compat.v1.Session) -> list[str]:
    handles = [operation.outputs[0] for operation in graph.get_operations() if operation.type == "VarHandleOp"]
    known = session.run([tf.raw_ops.VarIsInitializedOp(resource=handle) for handle in handles])
    return [handle.op.name for handle, is_known in zip(handles, known, strict=True) if not is_known]


@contextmanager
def _without_remarks() -> Iterator[None]:
    """TensorFlow advises on every loading to load otherwise."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _array(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype != object:
        return values
    return np.array([value.decode("utf-8") for value in values], dtype=object)
