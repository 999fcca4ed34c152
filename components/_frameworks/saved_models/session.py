"""Call a SavedModel through a session of TensorFlow 1, in a fraction of the time of a function of TensorFlow 2."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from components._core.errors import ModelError
from components._core.types.artifact_files import SIGNATURE
from components._core.types.signature import Feature
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names

REMEDY = "train the model again, without the cache"
LOAD_ERRORS = (tf.errors.OpError, DecodeError, OSError, ValueError, KeyError, TypeError, AttributeError)
"""What a damaged SavedModel raises."""
CALL_ERRORS = (tf.errors.OpError, TypeError, ValueError)
"""What rows raise that a SavedModel cannot take."""
_LOADING = threading.Lock()  # the level of TensorFlow's logger is one for all threads

Call = Callable[..., list[NDArray[Any]]]


def open_callable(inputs: tuple[Feature, ...], outputs: Sequence[str], saved_model: Path) -> Call:
    """Load a SavedModel; returns what takes arrays in the order of the inputs and gives arrays in the order of the outputs.

    Args:
        inputs: The features that it takes.
        outputs: The names of what it gives.
        saved_model: Its folder.

    Raises:
        ModelError: When it does not fit inputs and outputs, or a variable of it is empty. Damage raises `LOAD_ERRORS`.
    """
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)  # has variables and tables of its own, whatever their names elsewhere
    with graph.as_default(), _LOADING, _without_remarks():
        loaded = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(saved_model))
        empty = _empty_variables(graph, session)
    serving, names = loaded.signature_def[SERVING], tensor_names(inputs)
    fed = [names[feature.name] for feature in inputs]
    problems = [f"its variable {name} stays empty" for name in empty]
    problems += [f"it takes no {name!r}, which {SIGNATURE} names" for name in fed if name not in serving.inputs]
    problems += [f"it gives no {name!r}, which {SIGNATURE} names" for name in outputs if name not in serving.outputs]
    if problems:
        raise ModelError(f"does not load: {problems[0]}", where=str(saved_model), remedy=REMEDY)
    options = CallableOptions()
    options.feed.extend(serving.inputs[name].name for name in fed)
    options.fetch.extend(serving.outputs[name].name for name in outputs)
    # in the caller's thread: handing a call over to a pool's thread, which spins before it sleeps, takes a third of one row's call
    options.run_options.inter_op_thread_pool = -1
    # not its public `make_callable`: that goes the way of `run` as soon as something is fed, in three times the time
    call: Call = session._make_callable_from_options(options)
    return call


def as_array(values: NDArray[Any]) -> NDArray[Any]:
    """Return what a session gives with texts as `str`."""
    if values.dtype != object:
        return values
    return np.array([value.decode("utf-8") for value in values], dtype=object)


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
