"""Text encodings: found by a few rules that always give the same answer, and converted to UTF-8 in bounded memory.

What is valid UTF-8 is UTF-8; a byte order mark or zero bytes mean UTF-16; for all else see `legacy_encodings.py`. A byte that is
not valid in its encoding is never replaced: it becomes bytes that are not valid UTF-8, and its row is set aside. Nothing heavy is
imported here.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO

from components._data.formats.legacy_encodings import LATIN, candidates, guess_encoding, show_words

KEEP = "naru_keep_bytes"
"""Error handler of decoders: a byte that is not valid becomes one lone surrogate, which no valid text has."""
_KEPT = "surrogatepass"
_CHUNK_BYTES = 1 << 20
_MOST_WRONG = 0.1
"""Share of invalid characters among all that are not ASCII up to which an encoding is right and some bytes are damaged."""
_ZEROS = 0.1
_TELLING_BYTES = 1 << 16
_ASCII = bytes(range(128))
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@dataclass(frozen=True)
class Encoding:
    """The encoding of a sample.

    Attributes:
        name: Python's name of the encoding.
        is_ascii: Whether the sample is plain ASCII, so that later bytes may be of another encoding.
        is_doubtful: Whether others fit as well.
        readings: Words as this encoding and others read them, by encoding; empty for Unicode.
        is_unknown: Whether no encoding is likely: to read it as this one would be wrong.
    """

    name: str
    is_ascii: bool = False
    is_doubtful: bool = False
    readings: tuple[tuple[str, str], ...] = ()
    is_unknown: bool = False


def detect_encoding(sample: bytes) -> Encoding:
    """Detect the encoding of a text by its first bytes; the last character may be cut."""
    for mark, name in _BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return Encoding(name)
    if name := _utf_16(sample):
        return Encoding(name)
    if sample.isascii():
        return Encoding("utf-8", is_ascii=True)
    telling = _telling_part(sample)
    if _is_mostly_utf_8(telling):
        return Encoding("utf-8")
    guess = guess_encoding(telling)
    is_sure = guess is not None and guess.is_sure
    name = guess.name if guess else "cp1252"
    is_unknown = not is_sure and (guess is None or name not in LATIN)
    others = (*(guess.others if guess else ()), *(candidates(telling) if is_unknown else ()))
    likely = dict.fromkeys([*([name] if guess else []), *(() if is_sure else others)])
    readings = tuple((other, show_words(telling, other)) for other in likely)
    return Encoding(name, is_doubtful=not is_sure, readings=readings, is_unknown=is_unknown)


def decode(sample: bytes, encoding: str) -> str:
    """Decode the first bytes of a text; an invalid byte becomes a lone surrogate, and a cut last character is left out."""
    return codecs.getincrementaldecoder(encoding)(KEEP).decode(sample)


class Utf8Stream:
    """A readable stream of a text in UTF-8, converted from another encoding while it is read."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(KEEP)
        self._rest = b""
        self._is_ended = False

    def read(self, count: int) -> bytes:
        """Read at most so many bytes of UTF-8; fewer only at the end."""
        parts, size = [self._rest], len(self._rest)
        while size < count and not self._is_ended:
            raw = self._stream.read(_CHUNK_BYTES)
            self._is_ended = not raw
            parts.append(self._decoder.decode(raw, not raw).encode("utf-8", _KEPT))
            size += len(parts[-1])
        whole = b"".join(parts)
        self._rest = whole[count:]
        return whole[:count]

    def __enter__(self) -> Utf8Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def original_bytes(wrong: bytes) -> bytes:
    """Return the bytes of the file for bytes that are not valid UTF-8, after `Utf8Stream` or without it."""
    return re.sub(rb"\xed[\xb0-\xb3][\x80-\xbf]", _one_byte, wrong)


def _one_byte(found: re.Match[bytes]) -> bytes:
    code = ord(found[0].decode("utf-8", _KEPT)) - 0xDC00
    return bytes([code]) if code < 256 else found[0]


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + code) for code in error.object[error.start : error.end]), error.end


codecs.register_error(KEEP, _keep_bytes)


def _utf_16(sample: bytes) -> str:
    """Return the kind of UTF-16 without a byte order mark: every other byte of ASCII is zero, also of a line end. Empty: it is none."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    least = _ZEROS * len(sample) / 2
    if odd > least and even <= odd // 20 and b"\n\0" in sample:
        return "utf-16-le"
    return "utf-16-be" if even > least and odd <= even // 20 and b"\0\n" in sample else ""


def _telling_part(sample: bytes) -> bytes:
    """Return some lines of a sample from the first byte on that is not ASCII."""
    first = len(sample) - len(sample.lstrip(_ASCII))
    start = sample.rfind(b"\n", 0, first) + 1
    return sample[start : start + _TELLING_BYTES]


def _is_mostly_utf_8(sample: bytes) -> bool:
    beyond = len(sample.translate(None, delete=_ASCII))
    valid = sum(map(len, _UTF_8.findall(sample)))
    return beyond - valid <= min(_MOST_WRONG * beyond, valid) or sample.startswith(codecs.BOM_UTF8)
