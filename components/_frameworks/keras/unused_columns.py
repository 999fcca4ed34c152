"""Which transformed features a Keras model does not use: forgotten in build_model, or left over in preprocessing_fn."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from components._frameworks.keras.build_model import fed_columns, input_shape
from components._frameworks.keras.structure import GraphWalk
from components._frameworks.transformed_rows import Column


def find_unused(model: keras.Model, columns: tuple[Column, ...]) -> list[str]:
    """Return the features from which the model's output cannot be reached, in their order.

    The model is traced, so that one that is not functional is seen through as well.

    Args:
        model: The model.
        columns: The transformed features.
    """
    fed = fed_columns(model, columns)
    taken = [column for column in columns if column in fed.values()]
    specs = [tf.TensorSpec([None, *input_shape(column)], column.dtype) for column in taken]

    def score(*tensors: tf.Tensor) -> Any:
        given = dict(zip((column.name for column in taken), tensors, strict=True))
        return model({name: given[column.name] for name, column in fed.items()}, training=False)

    function = tf.function(score, autograph=False).get_concrete_function(*specs)
    graph = function.graph.as_graph_def()
    walk = GraphWalk({each.signature.name: each for each in graph.library.function})
    nodes = {node.name: node for node in graph.node}
    reached = walk.reach(nodes, [output.name for output in function.outputs], lambda name: False)
    # further inputs are what the function captured, such as variables
    used = {column.name for column, tensor in zip(taken, function.inputs, strict=False) if tensor.op.name in reached}
    return [column.name for column in columns if column.name not in used]
