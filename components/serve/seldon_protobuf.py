"""Reads requests of Seldon's protocol over gRPC from their bytes, into the values that JSON would give.

The protobuf library that seldon-core 1.17 needs is written in Python: it makes an object of half a kilobyte for every number,
recurses as deep as the message is nested, and prints a traceback where that is too deep. This reader has limits.

It reads `meta.puid`, `jsonData`, and `data` with `names` and `ndarray` (prediction.proto, google/protobuf/struct.proto). Like
protobuf, it skips other fields. Of labels (`Feedback`) it reads the `puid` of request and response, and a `truth` in every form that has
labels: `data` with `ndarray` or `tensor`, `jsonData` and `strData`, with its `meta.tags`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from components._core.types.texts import shorten
from components.serve.protobuf_wire import BYTES, FIXED64, VARINT, DamagedMessage, fields, varints

_NUMBER_BYTES = 11  # a number in a list: field 1 of 9 bytes, which holds field 2 of 8
_NUMBER_HEAD = np.array([0x0A, 0x09, 0x11], np.uint8)
_DOUBLE = struct.Struct("<d")
_FIELDS_PER_VALUE = 2
"""Fields of the message for each value that a request may have. A value in a list has two; one in a mapping four, but the bound on values is
twice what rows of mappings need."""
_FRAME_FIELDS = 1_000
"""Fields around the values: meta, its tags, and what this reader does not know."""
_SHAPE_BYTES = 1_000


class NotAMessage(Exception):
    """The bytes are not a message of the protocol, or exceed a limit; the text is safe for the client."""


def read_message(content: bytes, most_values: int, most_depth: int) -> dict[str, Any]:
    """Read a request into the form of its JSON: `meta`, and `jsonData` or `data`.

    Args:
        content: The message as it was sent.
        most_values: Most values, lists and mappings in the message.
        most_depth: Deepest nesting of lists and mappings.

    Raises:
        NotAMessage: When the message is damaged, or exceeds a limit.
    """
    reader = _Reader(most_values, most_depth)
    record: dict[str, Any] = {}
    for number, kind, value in reader.fields(memoryview(content)):
        if kind != BYTES:
            continue
        if number == 2:
            record["meta"] = reader.meta(value)
        elif number in (3, 4, 5, 6, 7):  # a oneof: the last one counts
            record.pop("data", None)
            record.pop("jsonData", None)
            if number == 3:
                record["data"] = reader.table(value)
            elif number == 6:
                record["jsonData"] = reader.value(value, 1)
    return record


def read_feedback(content: bytes, most_values: int, most_depth: int) -> dict[str, Any]:
    """Read a `Feedback` message into the form of its JSON: `request` and `response` with `meta`, and `truth`.

    Args:
        content: The message as it was sent.
        most_values: Most values, lists and mappings in the truth.
        most_depth: Deepest nesting of lists and mappings.

    Raises:
        NotAMessage: When the message is damaged, or exceeds a limit.
    """
    reader = _Reader(most_values, most_depth)
    record: dict[str, Any] = {}
    for number, kind, value in reader.fields(memoryview(content)):
        if kind == BYTES and number in (1, 2):
            metas = [part for field, how, part in reader.fields(value) if (field, how) == (2, BYTES)]
            record["request" if number == 1 else "response"] = {"meta": reader.meta(metas[-1])} if metas else {}
        elif kind == BYTES and number == 4:
            record["truth"] = reader.truth(value)
    return record


class _Reader:
    def __init__(self, most_values: int, most_depth: int) -> None:
        self._left, self._most_values, self._most_depth = most_values, most_values, most_depth
        self._fields_left = _FIELDS_PER_VALUE * most_values + _FRAME_FIELDS

    def fields(self, content: memoryview) -> Iterator[tuple[int, int, Any]]:
        """Yield the fields of a message; the skipped ones count too, as each of them takes time."""
        try:
            for field in fields(content):
                self._fields_left -= 1
                if self._fields_left < 0:
                    raise self._too_many()
                yield field
        except DamagedMessage:
            raise _damaged() from None

    def meta(self, content: memoryview) -> dict[str, Any]:
        puid = None
        for number, kind, value in self.fields(content):
            if (number, kind) == (1, BYTES):
                puid = value
        return {} if puid is None else {"puid": _text(puid)}

    def table(self, content: memoryview) -> dict[str, Any]:
        names, rows = [], None
        for number, kind, value in self.fields(content):
            if kind == BYTES and number == 1:
                self._take(1)
                names.append(_text(value))
            elif kind == BYTES and number == 3:
                rows = self.items(value, 1)
            elif kind == BYTES and number in (2, 4):
                rows = None
        return {"names": names} if rows is None else {"names": names, "ndarray": rows}

    def truth(self, content: memoryview) -> dict[str, Any]:
        found: dict[str, Any] = {}
        meta: dict[str, Any] = {}
        for number, kind, value in self.fields(content):
            if kind != BYTES:
                continue
            if number == 2:
                meta = {**self.meta(value), "tags": self._entries(value, 2, 1)}
            elif number in (3, 4, 5, 6, 7):  # a oneof: the last one counts
                found = {}
                if number == 3:
                    found = {"data": self._table_or_tensor(value)}
                elif number == 5:
                    found = {"strData": _text(value)}
                elif number == 6:
                    found = {"jsonData": self.value(value, 1)}
        return {**found, "meta": meta} if meta else found

    def _table_or_tensor(self, content: memoryview) -> dict[str, Any]:
        tensors = [value for number, kind, value in self.fields(content) if (number, kind) == (2, BYTES)]
        return {"tensor": self._tensor(tensors[-1])} if tensors else self.table(content)

    def _tensor(self, content: memoryview) -> dict[str, Any]:
        """Return shape and values of a tensor, each packed or one by one; without a shape there is none, as in JSON."""
        shape: list[int] = []
        found: list[float] = []
        for number, kind, value in self.fields(content):
            if number == 1 and kind in (VARINT, BYTES):
                lengths = [value] if kind == VARINT else self._varints(value)
                self._take(len(lengths))
                shape += lengths
            elif number == 2 and (kind == FIXED64 or (kind == BYTES and len(value) % _DOUBLE.size == 0)):
                self._take(len(value) // _DOUBLE.size)
                found += np.frombuffer(value, "<f8").tolist()
        return {"shape": shape, "values": found} if shape else {"values": found}

    def _varints(self, packed: memoryview) -> list[int]:
        if len(packed) > _SHAPE_BYTES:
            raise NotAMessage("the tensor has too many dimensions; send one label for each row")
        try:
            return list(varints(packed))
        except DamagedMessage:
            raise _damaged() from None

    def value(self, content: memoryview, depth: int) -> Any:
        self._take(1)
        value: Any = None
        for number, kind, found in self.fields(content):
            if (number, kind) == (1, VARINT):
                value = None
            elif (number, kind) == (2, FIXED64):
                (value,) = _DOUBLE.unpack(found)
            elif (number, kind) == (3, BYTES):
                value = _text(found)
            elif (number, kind) == (4, VARINT):
                value = bool(found)
            elif (number, kind) == (5, BYTES):
                value = self._mapping(found, self._deeper(depth))
            elif (number, kind) == (6, BYTES):
                value = self.items(found, self._deeper(depth))
        return value

    def items(self, content: memoryview, depth: int) -> list[Any]:
        if len(content) >= _NUMBER_BYTES and len(content) % _NUMBER_BYTES == 0:
            records = np.frombuffer(content, np.uint8).reshape(-1, _NUMBER_BYTES)
            if (records[:, :3] == _NUMBER_HEAD).all():  # numbers only, as in a column
                self._take(len(records))
                numbers: list[Any] = np.ascontiguousarray(records[:, 3:]).view("<f8").ravel().tolist()
                return numbers
        return [
            self.value(value, depth) for number, kind, value in self.fields(content) if (number, kind) == (1, BYTES)
        ]

    def _mapping(self, content: memoryview, depth: int) -> dict[str, Any]:
        return self._entries(content, 1, depth)

    def _entries(self, content: memoryview, field: int, depth: int) -> dict[str, Any]:
        """Return the map that a field has: messages of a key and a value."""
        found: dict[str, Any] = {}
        for number, kind, entry in self.fields(content):
            if (number, kind) == (field, BYTES):
                name, value = "", None
                for part, how, held in self.fields(entry):
                    if (part, how) == (1, BYTES):
                        name = _text(held)
                    elif (part, how) == (2, BYTES):
                        value = self.value(held, depth)
                if name in found:
                    raise NotAMessage(f"key {shorten(name)!r} occurs twice")
                found[name] = value
        return found

    def _deeper(self, depth: int) -> int:
        if depth >= self._most_depth:
            raise NotAMessage(f"values are nested deeper than {self._most_depth}")
        return depth + 1

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise self._too_many()

    def _too_many(self) -> NotAMessage:
        return NotAMessage(f"the message holds more than {self._most_values} values; send fewer rows in one request")


def _text(content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise NotAMessage("a text of the message is not UTF-8") from None


def _damaged() -> NotAMessage:
    return NotAMessage("the message is damaged, or not a message of Seldon's protocol")
