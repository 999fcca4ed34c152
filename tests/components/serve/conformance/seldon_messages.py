"""Seldon's messages as its prediction.proto numbers them: seldon-core's own code does not fit the environment of the tests."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

_PACKAGE = "seldon.protos"
_FIELD = descriptor_pb2.FieldDescriptorProto
_VALUE = ".google.protobuf.Value"
_FIELDS: dict[str, list[tuple[str, int, int, str]]] = {
    "SeldonMessage": [
        ("meta", 2, _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.Meta"),
        ("data", 3, _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.DefaultData"),
        ("strData", 5, _FIELD.TYPE_STRING, ""),
        ("jsonData", 6, _FIELD.TYPE_MESSAGE, _VALUE),
    ],
    "DefaultData": [
        ("names", 1, _FIELD.TYPE_STRING, ""),
        ("tensor", 2, _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.Tensor"),
        ("ndarray", 3, _FIELD.TYPE_MESSAGE, ".google.protobuf.ListValue"),
    ],
    "Tensor": [("shape", 1, _FIELD.TYPE_INT32, ""), ("values", 2, _FIELD.TYPE_DOUBLE, "")],
    "Feedback": [
        ("request", 1, _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.SeldonMessage"),
        ("response", 2, _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.SeldonMessage"),
        ("reward", 3, _FIELD.TYPE_FLOAT, ""),
        ("truth", 4, _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.SeldonMessage"),
    ],
    "Tag": [("key", 1, _FIELD.TYPE_STRING, ""), ("value", 2, _FIELD.TYPE_MESSAGE, _VALUE)],
    "Meta": [("puid", 1, _FIELD.TYPE_STRING, ""), ("tags", 2, _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.Tag")],
}
_REPEATED = {"names", "tags", "shape", "values"}  # a map is, on the wire, repeated pairs


def _message_classes(*names: str) -> list[Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(name="prediction.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(struct_pb2.DESCRIPTOR.name)
    for kind, fields in _FIELDS.items():
        message = file.message_type.add(name=kind)
        for field, number, type_, type_name in fields:
            label = _FIELD.LABEL_REPEATED if field in _REPEATED else _FIELD.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=type_, type_name=type_name or None, label=label)
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names]


SeldonMessage, Feedback = _message_classes("SeldonMessage", "Feedback")
