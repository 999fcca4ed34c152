"""What is kept of a project's labelling, in the store; nothing in it is ever changed.

    <store>/<project>/labels/
        lists/000003-NONCE.json        an append log: a line for each work list
        items/SHA256.parquet           the rows of a work list, with all their columns
        imports/000007-NONCE.json      an append log: a line for each import that brought something
        annotations/SHA256.jsonl       the annotations that an import brought
        aside/SHA256.jsonl             what an import could not use, with the reason
        spans/000002/manifest.json     the commit of span 2 (label_spans.py)

An object is written before the line that names it, so a killed command leaves at most an object that nothing names.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from components._core.errors import ServiceError
from components._core.examples.safe_parquet import pq
from components._core.store.append_log import AppendLog
from components._core.store.object_store import create, read_bytes
from components._labels.annotations import Annotation, from_lines, keep_latest, rename, to_lines
from components._labels.label_schema import ITEM

REQUEST, ROW = "naru_request", "naru_row"
"""Columns of an item's answer in the request log; null where the item is a row of a table."""
SHARE, STRATUM = "naru_share", "naru_stratum"
"""Columns of how an item was selected: the probability, and the part of the work list."""
OWN = (ITEM, REQUEST, ROW, SHARE, STRATUM)
"""Columns of the store beside those of the rows."""


@dataclass(frozen=True)
class WorkListRecord:
    """A work list that went out.

    Attributes:
        items: Name of the object with its rows.
        rows: Their number.
        at: When, ISO time.
        by: Who made it.
        source: What the rows were chosen from.
        strata: Number of rows to choose from, and of those chosen, by part; empty: all rows were taken.
    """

    items: str
    rows: int
    at: str
    by: str
    source: str
    strata: dict[str, dict[str, int]]


@dataclass(frozen=True)
class LabelStore:
    """The store of a project's labelling.

    Attributes:
        root: Root of the object store.
        project: The project's name.
    """

    root: str
    project: str

    @property
    def home(self) -> str:
        """Its folder."""
        return f"{self.root.rstrip('/')}/{self.project}/labels"

    def add_list(self, rows: pa.Table, source: str, strata: Mapping[str, Mapping[str, int]]) -> None:
        """Keep the rows of a work list.

        Args:
            rows: The rows, with the columns `OWN`.
            source: What they were chosen from.
            strata: See `WorkListRecord`.

        Raises:
            UnavailableError: When the store does not answer.
        """
        name = self.put_table(rows, "items")
        parts = {stratum: dict(part) for stratum, part in strata.items()}
        if any((known.items, known.strata) == (name, parts) for known in self.lists):
            return  # the same list again
        line = {"items": name, "rows": rows.num_rows, "at": now(), "by": _user(), "source": source}
        self._log("lists").append({**line, "strata": parts})

    @property
    def lists(self) -> list[WorkListRecord]:
        """The work lists, oldest first."""
        names = WorkListRecord.__dataclass_fields__
        return [WorkListRecord(**{name: line[name] for name in names}) for line in self._read_log("lists")]

    def item_ids(self) -> dict[str, int]:
        """Return the place of the newest work list that has each item."""
        places: dict[str, int] = {}
        for place, record in enumerate(self.lists):
            places.update(dict.fromkeys(self.read_list(record, [ITEM])[ITEM].to_pylist(), place))
        return places

    def read_list(self, record: WorkListRecord, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows of a work list, or some of their columns."""
        content = self.read_object(record.items)
        return pq.read_table(pa.BufferReader(content), columns=None if columns is None else [*columns])

    def read_items(self, items: Iterable[str]) -> list[pa.Table]:
        """Read the rows of some items, a table for each work list; an item in several lists is that of the newest."""
        wanted, places, lists = set(items), self.item_ids(), self.lists
        tables = []
        for place in sorted({places[item] for item in wanted if item in places}):
            rows = self.read_list(lists[place])
            chosen, seen = [], set[str]()
            for row, item in enumerate(rows[ITEM].to_pylist()):
                if item in wanted and places[item] == place and item not in seen:
                    chosen.append(row)
                    seen.add(item)
            tables.append(rows.take(pa.array(chosen, pa.int64())))
        return tables

    def add_annotations(
        self, new: Sequence[Annotation], aside: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
    ) -> None:
        """Keep what an import brought.

        Args:
            new: The annotations that are not in the store yet, or have changed.
            aside: What could not be used, an object with `where` and `reason` each.
            facts: What its line says of the import.

        Raises:
            UnavailableError: When the store does not answer.
        """
        names = {"annotations": self._put(to_lines(new), "annotations", "jsonl")}
        if aside:
            lines = "".join(f"{json.dumps(dict(each), ensure_ascii=False, sort_keys=True)}\n" for each in aside)
            names["aside"] = self._put(lines.encode(), "aside", "jsonl")
        self._log("imports").append({**facts, **names, "at": now(), "by": _user(), "new": len(new)})

    def read_annotations(self, schema: int) -> dict[tuple[str, str], Annotation]:
        """Read the latest annotation of each item and annotator, of one version of the label schema, with the annotators' names.

        Raises:
            ServiceError: When an object is missing or damaged.
            UnavailableError: When the store does not answer.
        """
        lines = self._read_log("imports")
        people = _people_in(lines)
        found = (each for line in lines for each in from_lines(self.read_object(line["annotations"])))
        return keep_latest(rename(each, people) for each in found if each.schema == schema)

    def read_people(self) -> dict[str, str]:
        """Return the names of annotators by what files call them, as imports from a server brought them."""
        return _people_in(self._read_log("imports"))

    def put_table(self, table: pa.Table, folder: str) -> str:
        """Keep a table as Parquet under a name with its hash; returns the name."""
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd", version="2.6")
        return self._put(buffer.getvalue().to_pybytes(), folder, "parquet")

    def read_object(self, name: str) -> bytes:
        """Read what was kept under a name.

        Raises:
            ServiceError: When it is missing or damaged.
            UnavailableError: When the store does not answer.
        """
        content = read_bytes(f"{self.home}/{name}")
        if content is None or hashlib.sha256(content).hexdigest() not in name:
            what = "is missing" if content is None else "is damaged: its content has another hash"
            raise ServiceError(what, where=f"{self.home}/{name}", remedy="restore it from a backup")
        return content

    def _log(self, name: str) -> AppendLog:
        return AppendLog(f"{self.home}/{name}", "the store of labels", self.root)

    def _read_log(self, name: str) -> list[dict[str, Any]]:
        lines = []
        for uri, content in self._log(name).read():
            try:
                lines.append(dict(json.loads(content)))
            except (ValueError, TypeError):
                raise ServiceError("is damaged", where=uri, remedy="restore it from a backup") from None
        return lines

    def _put(self, content: bytes, folder: str, ending: str) -> str:
        name = f"{folder}/{hashlib.sha256(content).hexdigest()}.{ending}"
        create(content, f"{self.home}/{name}")
        return name


def _people_in(lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {name: known for line in lines for name, known in (line.get("people") or {}).items()}


def now() -> str:
    """Return the present as ISO time in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return ""
