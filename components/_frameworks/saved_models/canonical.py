"""Make a SavedModel the same, byte for byte, whenever what it holds is the same.

TensorFlow writes into it a random identifier (`fingerprint.pb`), the paths of vocabularies while they were made (as names
of tables) and numbers that count what the process did before (in names of functions and of captured tensors). None has a
meaning: the first and the last are left out, tables and functions are numbered in the order in which they were created.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from components._core.files import write_bytes

_FUNCTION = re.compile(r"^(?P<stem>__(?:inference|forward|backward)_.*?)_(?P<number>\d+)$")
_TABLES = {"HashTableV2", "MutableHashTableV2", "MutableDenseHashTableV2", "AnonymousHashTable"}


def make_canonical(saved_model: Path) -> None:
    """Rewrite a SavedModel's folder in place; what it computes stays the same."""
    file = saved_model / "saved_model.pb"
    content = SavedModel.FromString(file.read_bytes())
    names = _function_names(content)
    _rename(content, lambda text: names.get(text, text))
    for meta_graph in content.meta_graphs:
        _sort(meta_graph.graph_def.library.function, lambda function: function.signature.name)
        _sort(meta_graph.graph_def.node, lambda node: node.name)
        for function in meta_graph.graph_def.library.function:
            _sort(function.node_def, lambda node: node.name)
        _name_tables(meta_graph.graph_def)
        _forget_identities(meta_graph.graph_def)
    write_bytes(file, content.SerializeToString(deterministic=True))
    (saved_model / "fingerprint.pb").unlink(missing_ok=True)


def _sort(parts: Any, key: Callable[[Any], str]) -> None:
    ordered = sorted(parts, key=key)
    del parts[:]
    parts.extend(ordered)


def _function_names(content: SavedModel) -> dict[str, str]:
    found = [
        match
        for meta_graph in content.meta_graphs
        for function in meta_graph.graph_def.library.function
        if (match := _FUNCTION.match(function.signature.name))
    ]
    # numbers only grow while a process runs, so their order is the order of creation, whatever came before
    found.sort(key=lambda match: (int(match["number"]), match["stem"]))
    return {match[0]: f"{match['stem']}_{place:06d}" for place, match in enumerate(found)}


def _name_tables(graph: Any) -> None:
    names: dict[bytes, bytes] = {}
    for node in _nodes(graph):
        if node.op in _TABLES and node.attr["shared_name"].s:
            old = node.attr["shared_name"].s
            node.attr["shared_name"].s = names.setdefault(old, b"table_%d" % len(names))


def _forget_identities(graph: Any) -> None:
    """An argument that is a captured tensor is called by that tensor's number in the process."""
    attributes = [node.attr for node in _nodes(graph)]
    attributes += [part.attr for function in graph.library.function for part in function.arg_attr.values()]
    for named in attributes:
        if "_user_specified_name" in named and named["_user_specified_name"].s.isdigit():
            del named["_user_specified_name"]


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _rename(message: Message, new: Callable[[str], str]) -> None:
    """Replace strings in a message and in all below it, keys of maps included."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _rename_map(value, field.message_type.fields_by_name["value"].message_type is not None, new)
        elif field.message_type is not None:
            for part in value if _repeated(field) else (value,):
                _rename(part, new)
        elif field.type == field.TYPE_STRING:
            if _repeated(field):
                value[:] = [new(text) for text in value]
            else:
                setattr(message, field.name, new(value))


def _rename_map(values: Any, of_messages: bool, new: Callable[[str], str]) -> None:
    for key in list(values):
        if of_messages:
            _rename(values[key], new)
        elif isinstance(values[key], str):
            values[key] = new(values[key])
        renamed = new(key) if isinstance(key, str) else key
        if renamed != key:
            if of_messages:
                values[renamed].CopyFrom(values[key])
            else:
                values[renamed] = values[key]
            del values[key]


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else bool(field.label == field.LABEL_REPEATED)
