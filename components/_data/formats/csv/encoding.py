"""Text encodings: found by a few rules that always give the same answer, and converted to UTF-8 in bounded memory.

What is valid UTF-8 is UTF-8; a byte order mark or zero bytes tell UTF-16; bytes that are valid cp949 and mostly common Hangul
are cp949; words of Cyrillic or Greek letters are cp1251 or cp1253; all else is cp1252, or cp1250 where cp1252 has signs in the
middle of words. (`charset-normalizer` reads French and pounds as cp1250, and Greek as that of an old Mac.) A byte that is not valid in its encoding is never replaced: it becomes bytes that are not valid UTF-8, and its row is set
aside. Nothing heavy is imported here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

KEEP = "naru_keep_bytes"
"""Error handler of decoders: a byte that is not valid becomes one lone surrogate, which no valid text has."""
_KEPT = "surrogatepass"
_CHUNK_BYTES = 1 << 20
_MOST_WRONG = 0.1
"""Share of invalid characters among all that are not ASCII up to which an encoding is right and some bytes are damaged."""
_MOST = 0.6
_ZEROS = 0.1
_TELLING_BYTES = 1 << 16
_WRONG = "\ufffd"
_ASCII = bytes(range(128))
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_COMMON_HANGUL = frozenset(
    "이다는가의에을를은도고하지로한서기사자부대구경전인시남여울산주광동강원북충제청예아니오상중등급일월년금액명번호객역나성별세평균"
    "수량값점총합계비율가격매출입출고장소천안양용포화정신영진현민김박최조윤임송유과장대학교회사업무직원계약보험료해지유무분류"
)
_COMMON_BYTES = 2
"""Length in EUC-KR of one of the 2,350 syllables that texts have; it composes the other 8,822 of several letters."""
_MANY_SYLLABLES = 30
_FEWEST_COMMON = 0.12


@dataclass(frozen=True)
class Encoding:
    """The encoding of a sample.

    Attributes:
        name: Python's name of the encoding.
        is_ascii: Whether the sample is plain ASCII, so that later bytes may be of another encoding.
        is_doubtful: Whether no rule holds, and the characters look like those of a script without a rule.
    """

    name: str
    is_ascii: bool = False
    is_doubtful: bool = False


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
    for name, rule in _RULES.items():
        if rule(_read(telling, name)):
            return Encoding(name)
    return Encoding("cp1252", is_doubtful=_is_doubtful(_read(telling, "cp1252")))


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


def _read(sample: bytes, encoding: str) -> str:
    return sample.decode(encoding, "replace")


def _beyond_ascii(text: str) -> list[str]:
    return re.findall(r"[^\x00-\x7f]", text)


def _is_korean(text: str) -> bool:
    """Return whether a text is Korean, and not other bytes that happen to be valid cp949, such as 25 °C or Chinese."""
    marks = _beyond_ascii(text)
    hangul = [mark for mark in marks if "가" <= mark <= "힣" and len(mark.encode("euc_kr", "ignore")) == _COMMON_BYTES]
    if len(hangul) < _MOST * len(marks) or marks.count(_WRONG) > _MOST_WRONG * len(marks):
        return False
    common = sum(mark in _COMMON_HANGUL for mark in hangul)
    return len(set(hangul)) < _MANY_SYLLABLES or common >= _FEWEST_COMMON * len(hangul)


def _are_words(text: str, letters: str) -> bool:
    """Return whether most of the characters beyond ASCII stand in words of some letters, small ones but for the first."""
    words = re.findall(f"(?<![A-Za-z{letters}])[{letters}]{{2,}}(?![A-Za-z{letters}])", text)
    return sum(len(word) for word in words if word[1:].islower()) >= _MOST * len(_beyond_ascii(text))


def _is_cyrillic(text: str) -> bool:
    """Return whether a text is Cyrillic: o, a and i are commoner than the letters in the places of common Greek ones."""
    frequent = [sum(map(text.count, letters)) for letters in ("\u043e\u0430\u0438", "\u0431\u043f\u0439\u0443")]
    return frequent[0] > frequent[1] and _are_words(text, "\u0400-\u045f")


def _is_greek(text: str) -> bool:
    return _are_words(text, "\u0386-\u03ce")


def _is_central_european(text: str) -> bool:
    """Return whether letters in the middle of words would be signs in cp1252, as in `Wroc³aw`."""
    inner = [mark for mark in re.findall(r"(?<=[a-z])[^\x00-\x7f](?=[a-z])", text) if mark != _WRONG]
    signs = [mark for mark in inner if not _read(mark.encode("cp1250"), "cp1252").isalpha()]
    return bool(signs) and all(map(str.isalpha, signs)) and len(signs) >= _MOST_WRONG * len(inner)


def _is_doubtful(text: str) -> bool:
    """Return whether most of the characters beyond ASCII are adjacent, as in no language that is written in Latin letters."""
    return sum(map(len, re.findall(r"[^\x00-\x7f]{2,}", text))) >= _MOST * len(_beyond_ascii(text))


_RULES: dict[str, Callable[[str], bool]] = {
    "cp949": _is_korean,
    "cp1251": _is_cyrillic,
    "cp1253": _is_greek,
    "cp1250": _is_central_european,
}
"""Encodings besides UTF-8 and UTF-16, and whether a text that is decoded as one of them is right; the first counts."""
