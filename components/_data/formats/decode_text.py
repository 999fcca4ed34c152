"""The encoding of a whole text, or of the beginning of a file of text: found, or refused with a reason."""

from __future__ import annotations

from components._core.errors import DataError
from components._data.formats.encoding import detect_encoding

_SAMPLE_BYTES = 1 << 20
_BOM = "\ufeff"


def decode_text(data: bytes, name: str) -> tuple[str, str]:
    """Decode a text in any encoding.

    Args:
        data: All of its bytes.
        name: Name of the text, for messages.

    Returns:
        The text without a byte order mark, and Python's name of its encoding.

    Raises:
        DataError: When it is not text, several encodings are as likely, or a byte is not valid in its encoding.
    """
    try:
        text, encoding = data.decode("utf-8"), "utf-8"
        if "\0" in text:
            encoding = name_encoding(data[:_SAMPLE_BYTES], name)
            text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding = name_encoding(data[:_SAMPLE_BYTES], name)
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            message = f"byte {error.start + 1:,} is not valid in {encoding}, as which it is read"
            raise DataError(message, where=name, remedy="save it as UTF-8") from None
    return text.removeprefix(_BOM), encoding


def name_encoding(sample: bytes, name: str) -> str:
    """Return the encoding of the first bytes of a text.

    Raises:
        DataError: When it is not text, or several encodings are as likely.
    """
    found = detect_encoding(sample)
    if b"\0" in sample and not found.name.startswith(("utf-16", "utf-32")):
        raise DataError("is not text: it has zero bytes", where=name, remedy="remove it from the source")
    if found.is_unknown:
        readings = "; ".join(f"{encoding}: {words}" for encoding, words in found.readings)
        raise DataError(
            f"its encoding cannot be told ({readings or 'none fits'})", where=name, remedy="save it as UTF-8"
        )
    return found.name
