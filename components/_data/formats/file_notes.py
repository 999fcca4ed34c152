"""Notes on what schema inference found in single files, so that an unchanged file is not read again for it.

A note belongs to the state of a file (`Source.state`) and to everything else that the finding depends on. Without states,
as in a preview, nothing is noted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from components._core.files import fingerprint_of
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    import pyarrow as pa

Found = TypeVar("Found")


class FileNotes:
    """The notes of earlier runs, and those of this one.

    Args:
        states: State of a file's content by its path; a file without one has no notes.
        earlier: The notes of earlier runs: JSON by key.

    Attributes:
        current: The notes that this run used or made.
    """

    def __init__(self, states: Mapping[str, str] | None = None, earlier: Mapping[str, Any] | None = None) -> None:
        self._states = states or {}
        self._earlier = earlier or {}
        self.current: dict[str, Any] = {}

    def recall(
        self,
        file: SpanFile,
        what: str,
        given: Any,
        find: Callable[[], Found],
        dump: Callable[[Found], Any],
        load: Callable[[Any], Found],
    ) -> Found:
        """Return what an earlier run found in a file, or find and note it.

        Args:
            file: The file.
            what: What is found, such as `header`.
            given: All that the finding depends on besides the file's content, as JSON.
            find: Reads the file.
            dump: Converts the finding to JSON.
            load: Converts it back.
        """
        key = self._key(file, what, given)
        if key in self._earlier:
            self.current[key] = self._earlier[key]
            return load(self._earlier[key])
        found = find()
        self.note(file, what, given, dump(found))
        return found

    def note(self, file: SpanFile, what: str, given: Any, found: Any) -> None:
        """Note a finding as JSON, in place of an earlier one."""
        if key := self._key(file, what, given):
            self.current[key] = found

    def _key(self, file: SpanFile, what: str, given: Any) -> str:
        state = self._states.get(file.path)
        if not state:
            return ""
        return fingerprint_of([what, file.name, state, json.dumps(given, sort_keys=True)])


def dump_fields(fields: Iterable[pa.Field]) -> str:
    """Convert columns to a text."""
    import pyarrow as pa

    return base64.b64encode(pa.schema(list(fields)).serialize().to_pybytes()).decode()


def load_fields(text: str) -> list[pa.Field]:
    """Convert the text back to columns."""
    import pyarrow as pa

    return list(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text))))
