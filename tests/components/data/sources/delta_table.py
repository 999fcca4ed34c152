"""Writes Delta tables, file by file and version by version: the writer of the package needs a newer pyarrow than one family has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TYPES = {"int64": "long", "int32": "integer", "double": "double", "string": "string", "bool": "boolean", "date32[day]": "date", "timestamp[us, tz=UTC]": "timestamp"}  # fmt: skip


class DeltaTableWriter:
    """A table in a folder of this machine.

    Args:
        folder: The table's folder.
        schema: Its columns; the partition columns among them.
        partitions: Columns that are in paths instead of files.
        configuration: Properties of the table.
        protocol: Versions and features that a reader needs.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        partitions: tuple[str, ...] = (),
        configuration: dict[str, str] | None = None,
        protocol: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.version = -1
        self._setup = [
            {"protocol": protocol or {"minReaderVersion": 1, "minWriterVersion": 2}},
            self._metadata(schema, partitions, configuration or {}),
        ]
        (folder / "_delta_log").mkdir(parents=True)

    def write(self, *actions: dict[str, Any]) -> None:
        """Write the next version."""
        self.version += 1
        lines = [json.dumps(action) for action in (*self._setup, *actions)]
        self._setup = []
        (self.folder / "_delta_log" / f"{self.version:020d}.json").write_text("\n".join(lines))

    def add(
        self, path: str, rows: pa.Table, vector: dict[str, Any] | None = None, **partition: str | None
    ) -> dict[str, Any]:
        """Write a data file, and return the action that adds it."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, self.folder / path)
        size = (self.folder / path).stat().st_size
        action: dict[str, Any] = {
            "path": path,
            "partitionValues": partition,
            "size": size,
            "modificationTime": 0,
            "dataChange": True,
        }
        action["stats"] = json.dumps({"numRecords": rows.num_rows})
        return {"add": action | ({"deletionVector": vector} if vector else {})}

    def remove(self, path: str) -> dict[str, Any]:
        return {"remove": {"path": path, "deletionTimestamp": 0, "dataChange": True}}

    def add_columns(self, schema: pa.Schema) -> dict[str, Any]:
        """Return the action that changes the columns."""
        return self._metadata(schema, (), {})

    def _metadata(
        self, schema: pa.Schema, partitions: tuple[str, ...], configuration: dict[str, str]
    ) -> dict[str, Any]:
        fields = [
            {
                "name": field.name,
                "type": _TYPES.get(str(field.type)) or _nested(field.type),
                "nullable": True,
                "metadata": {},
            }
            for field in schema
        ]
        if "delta.columnMapping.mode" in configuration:
            for number, field in enumerate(fields):
                field["metadata"] = {
                    "delta.columnMapping.id": number,
                    "delta.columnMapping.physicalName": f"col-{number}",
                }
        return {
            "metaData": {
                "id": "6f2b7a10-0000-4000-8000-000000000001",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": list(partitions),
                "configuration": configuration,
                "createdTime": 0,
            }
        }


def _nested(kind: pa.DataType) -> Any:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    fields = [{"name": field.name, "type": _TYPES[str(field.type)], "nullable": True, "metadata": {}} for field in kind]
    return {"type": "struct", "fields": fields}
