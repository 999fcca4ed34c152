"""TFRecord of tf.Example as a format. Its parts are imported when they are used; TensorFlow never is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from components._core.extras import check_extra
from components._core.project.data_config import Data
from components._data.formats.contract import Format, Preview, TableSchema
from components._data.sources.contract import SpanFile

if TYPE_CHECKING:
    from components._data.formats.bad_rows import BadRow
    from components._data.formats.rows import FileTally, Rows

_HEADER = 12
_LARGEST = 1 << 31


class TFRecordFormat(Format):
    """TFRecord files of tf.Example, compressed or not."""

    name = "tfrecord"
    endings = (".tfrecord", ".tfrecords", ".tfrecord.gz", ".tfrecords.gz")

    def __init__(self, data: Data) -> None:
        """See `Format`.

        Raises:
            ConfigError: When the packages of the extra are not installed.
        """
        check_extra("local", ["tfx_bsl", "google_crc32c"], "the format 'tfrecord'", "data.source")
        super().__init__(data)

    @classmethod
    def recognises(cls, first: bytes) -> bool:
        """See `Format`: a record begins with its length in eight bytes, and with tf.Example's first field."""
        if len(first) <= _HEADER:
            return False
        (length,) = struct.unpack_from("<Q", first)
        return 0 < length < _LARGEST and first[_HEADER] == 0x0A and b"\0\0\0\0" in first[3:8]

    def column_names(self, file: SpanFile) -> list[str]:
        """See `Format`; the columns of the file's first records."""
        from components._data.formats.tfrecord.reader import column_names

        return column_names(file)

    def preview(self, file: SpanFile) -> Preview | None:
        """See `Format`; none: the packages take longer to import than ingest to begin."""
        return None

    def infer_schema(self, files: Sequence[SpanFile], label: str) -> TableSchema:
        """See `Format`; every file is read once, since a record names only the features that it has."""
        from components._data.formats.column_readings import with_readings
        from components._data.formats.tfrecord.reader import infer_schema

        return with_readings(infer_schema(files, label, self.notes), self.data, label)

    def read_rows(
        self,
        file: SpanFile,
        schema: TableSchema,
        label: str,
        reject: Callable[[BadRow], None],
        cells: Collection[str] = (),
        tally: FileTally | None = None,
    ) -> Iterator[Rows]:
        """See `Format`. A record that is not a tf.Example, or has a value of another type, is set aside."""
        from components._data.formats.tfrecord.reader import read_rows

        return read_rows(file, schema, label, reject, cells, tally)
