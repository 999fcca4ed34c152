"""Pictures in a table of any format: a column of bytes or of paths becomes one of canonical pictures, with their measures beside it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components._core.errors import ConfigError, DataError
from components._core.project.picture_config import Pictures
from components._core.suggestions import suggest
from components._core.types.measured_columns import PICTURE_MEASURES, measured_column
from components._data.formats.contract import Format, TableSchema
from components._data.formats.wrapped import WrappedFormat
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._core.pictures.near_groups import NearGroups
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows

_AHEAD = 1
"""Chunks whose pictures are decoded while the one before is taken up."""
_RULE = 1
"""Increased when the same pictures would give other bytes or measures, so that fingerprints differ."""


class PictureFormat(WrappedFormat):
    """A format whose rows have a picture each."""

    def __init__(self, inner: Format, pictures: Pictures) -> None:
        """Wrap the format of the files."""
        super().__init__(inner)
        self._pictures = pictures
        self._groups: NearGroups | None = None
        self._is_path = False

    @property
    def options(self) -> dict[str, Any]:
        """See `Format`."""
        settings = self._pictures.model_dump(include={"column", "max_pixels", "max_mb", "near"})
        return {**self._inner.options, "pictures": {"rule": _RULE, **settings}}

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        return [*self._inner.column_names(file), *self._measured]

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`.

        Raises:
            ConfigError: Also when the table does not have the column of pictures.
            DataError: Also when that column has neither bytes nor texts, or a column has the name of a measure.
        """
        import pyarrow as pa

        from components._core.pictures.measures import TYPES

        schema, column = self._inner.infer_schema(files, label), self._pictures.column
        if column not in schema.types:
            names = [
                name for name, kind in schema.types.items() if pa.types.is_binary(kind) or pa.types.is_string(kind)
            ]
            message = f"unknown column {column!r}; {suggest(column, names)}"
            raise ConfigError(
                message, where="data.pictures.column", remedy="name the column with the pictures or their paths"
            )
        kind = schema.types[column]
        if not pa.types.is_binary(kind) and not pa.types.is_string(kind):
            message = f"the column of pictures {column!r} has the type {kind}"
            raise DataError(
                message, where=files[0].name, remedy="give the encoded pictures (bytes), or paths of their files"
            )
        if taken := [name for name in self._measured if name in schema.types]:
            message = f"the table has a column {taken[0]!r}, which is measured of its pictures"
            raise DataError(message, where=files[0].name, remedy="rename that column")
        self._is_path = pa.types.is_string(kind)
        measures = {measured_column(column, name): kind for name, kind in TYPES.items()}
        return replace(schema, types={**schema.types, column: pa.binary(), **measures})

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`. A row whose picture is missing, cannot be read or exceeds a bound is set aside, with the reason."""
        import pyarrow as pa

        from components._core.pictures.near_groups import NearGroups
        from components._data.formats.pictures.picture_rows import Begun, PictureRows, chunks

        column = self._pictures.column
        plain = pa.string() if self._is_path else pa.binary()
        types = {name: kind for name, kind in schema.types.items() if name not in self._measured}
        inner = replace(schema, types={**types, column: plain})
        own = [name for name in cells if name != column and name not in self._measured]
        self._groups = self._groups or (NearGroups(self._pictures.near) if self._pictures.near else None)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            reader = PictureRows(file, self._pictures, self._groups, self._is_path, self.unit, reject, tally, pool)
            waiting = deque[Begun]()
            for rows in self._inner.read_rows(file, inner, label, reject, own, tally):
                for part in chunks(rows, column):
                    waiting.append(reader.begin(part))
                    if len(waiting) > _AHEAD:
                        yield reader.finish(waiting.popleft(), cells)
            while waiting:
                yield reader.finish(waiting.popleft(), cells)

    @property
    def _measured(self) -> list[str]:
        return [measured_column(self._pictures.column, name) for name in PICTURE_MEASURES]
