"""Names inside of an ONNX graph by their order: equal models must have equal bytes, and skl2onnx makes some of them from random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx


class Names:
    """Names that are not yet taken.

    Args:
        taken: Names that are.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._count = 0

    def take(self, name: str) -> str:
        """Take a name, with underscores behind it until nothing else has it."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def next(self) -> str:
        """Take the next name."""
        self._count += 1
        return self.take(f"v{self._count}")


def rename(graph: onnx.GraphProto, known: Mapping[str, str], names: Names) -> onnx.GraphProto:
    """Return a copy of a graph whose values have names by their order, without texts and shapes that only tools read.

    Args:
        graph: The graph, or the body of an operator such as `Scan`.
        known: New name by old name of the values that are already named: the inputs, and those of the graphs around.
        names: Gives the other names.
    """
    new = dict(known)
    copy = onnx.GraphProto()
    copy.CopyFrom(graph)
    copy.name, copy.doc_string = "graph", ""
    del copy.value_info[:]
    for value in (*copy.initializer, *copy.input):
        if value.name not in new:
            new[value.name] = names.next()
    for node in copy.node:
        for output in filter(None, node.output):
            new[output] = names.next()
    for value in (*copy.initializer, *copy.input, *copy.output):
        value.name, value.doc_string = new[value.name], ""
    for number, node in enumerate(copy.node):
        node.name, node.doc_string = f"n{number}", ""
        node.input[:] = [new[name] if name else "" for name in node.input]
        node.output[:] = [new[name] if name else "" for name in node.output]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                attribute.g.CopyFrom(rename(attribute.g, new, names))
    return copy


def names_taken(node: onnx.NodeProto) -> set[str]:
    """Return the names of the values that a node takes, those used by the graphs inside of it included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names.update(*(names_taken(inner) for inner in graph.node), (output.name for output in graph.output))
    return names
