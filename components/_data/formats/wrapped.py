"""A format around another one: what it does not change is what the inner one says."""

from __future__ import annotations

from typing import Any, Literal

from components._data.formats.contract import Format, Preview
from components._data.formats.file_notes import FileNotes
from components._data.sources.contract import SpanFile


class WrappedFormat(Format):
    """Passes on to the format that it wraps; schema inference and rows are its own."""

    def __init__(self, inner: Format) -> None:
        """Wrap the format of the files."""
        super().__init__(inner.data)
        self._inner = inner

    @property
    def options(self) -> dict[str, Any]:
        """See `Format`."""
        return self._inner.options

    @property
    def detected(self) -> dict[str, Any]:
        """See `Format`."""
        return self._inner.detected

    @property
    def unit(self) -> Literal["line", "row"]:
        """See `Format`."""
        return self._inner.unit

    def describe(self) -> str:
        """See `Format`."""
        return self._inner.describe()

    def use_notes(self, notes: FileNotes) -> None:
        """See `Format`."""
        super().use_notes(notes)
        self._inner.use_notes(notes)

    def file_options(self, file: SpanFile) -> Any:
        """See `Format`."""
        return self._inner.file_options(file)

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`."""
        return self._inner.column_names(file)

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`."""
        return self._inner.preview(file)
