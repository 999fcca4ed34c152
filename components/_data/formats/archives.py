"""Files that hold a table in a way that no format reads: in an archive, or compressed by another program. Each has its remedy."""

from __future__ import annotations

import zipfile

from components._core.errors import DataError
from components._core.suggestions import listed
from components._data.sources.contract import SpanFile

_ZIP = b"PK\x03\x04"
_OTHER = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x9d": "compressed by compress (.Z)",
    b"\x04\x22\x4d\x18": "compressed by lz4",
    b"\xff\x06\x00\x00sNaPpY": "compressed by snappy",
}
"""Beginnings of files."""
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
_READ = "gzip, bzip2, xz and zstandard are read as they are"
_TAR, _TAR_AT = b"ustar", 257
_WHOLE = {b"PAR1": "Parquet", _ZIP: "a workbook or an archive"}
"""Beginnings of what is read from its end, and so not out of a compressed file."""


def refuse_archive(file: SpanFile, content: bytes, compression: str) -> None:
    """Refuse an archive, and a file that is compressed in a way that is not read.

    Args:
        file: The file.
        content: The first bytes of what it holds.
        compression: Name of its compression; empty: none.

    Raises:
        DataError: With how to read the table in it.
    """
    if content[_TAR_AT:].startswith(_TAR):
        remedy = "unpack it, and name the folder or the file; of samples with pictures: webdataset://ARCHIVE"
        raise DataError("is a tar archive", where=file.name, remedy=remedy)
    if any(content.startswith(start) for start in _PICTURES):
        remedy = "of a folder with a folder of pictures for each class: pictures://FOLDER (docs/pictures.md)"
        raise DataError("is a picture, not a table", where=file.name, remedy=remedy)
    other = next((kind for start, kind in _OTHER.items() if content.startswith(start)), "")
    if other:
        raise DataError(f"is {other}, which is not read", where=file.name, remedy=f"unpack it; {_READ}")
    whole = next((kind for start, kind in _WHOLE.items() if compression and content.startswith(start)), "")
    if whole:
        remedy = "decompress it: such a file is compressed inside, and read from its end"
        raise DataError(f"is {whole} inside of {compression}", where=file.name, remedy=remedy)
    if content.startswith(_ZIP):
        _refuse_zip(file)


def _refuse_zip(file: SpanFile) -> None:
    try:
        with file.open() as stream, zipfile.ZipFile(stream) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # damaged: the format that is tried says so
    inside = listed(names) if names else "no file"
    remedy = "unpack it"
    if len(names) == 1:
        remedy += f"; or name the file in it: zip://{names[0]}::file:///folder/{file.name.rpartition('/')[2]}"
    raise DataError(f"is a zip archive with {inside}", where=file.name, remedy=remedy)
