"""Find damage in texts: bytes that were read in a wrong encoding, characters that were lost, and markup left in.

Characters that may be a sign of damage are looked up for a whole column at once; only texts that have some are looked at in detail. A text is
called damaged when undoing the mistake gives other, likely letters: quotation marks behind accented letters, as in `Weiß“` or
`café…”`, are also bytes of UTF-8 and are not damage.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.texts.code_points import CodePoints, read_column

REPLACED, UTF8_AS_LATIN, KOREAN_AS_LATIN, UTF8_AS_KOREAN, ESCAPES, CONTROLS, QUESTIONS = (
    "replaced",
    "utf8_as_latin",
    "korean_as_latin",
    "utf8_as_korean",
    "escapes",
    "controls",
    "questions",
)
DESCRIPTIONS = {
    REPLACED: "replacement characters (U+FFFD), where bytes could not be decoded",
    UTF8_AS_LATIN: "UTF-8 that was read as Latin-1 or cp1252",
    KOREAN_AS_LATIN: "cp949 or EUC-KR that was read as Latin-1 or cp1252",
    UTF8_AS_KOREAN: "UTF-8 that was read as cp949",
    ESCAPES: "letters written as escapes, such as \\uc548",
    CONTROLS: "control characters",
    QUESTIONS: "question marks in place of letters",
}
"""What each kind of damage is, for a person."""


def damage_kind(text: str) -> str:
    """Return the kind of damage of one text; empty: none was found."""
    return next((kind for kind, has in _DAMAGE.items() if has(text)), "")


def damaged_rows(column: pa.Array) -> dict[str, list[int]]:
    """Return the rows of a column of texts that are damaged, by kind; a row has one kind, the first that is found."""
    rows: dict[str, list[int]] = {}
    for first, texts in read_column(column):
        suspects = _suspects(texts) + first
        for row, text in zip(suspects.tolist(), column.take(pa.array(suspects)).to_pylist(), strict=True):
            if kind := damage_kind(text or ""):
                rows.setdefault(kind, []).append(row)
    return rows


def has_markup(text: str) -> bool:
    """Return whether a text has tags of HTML, references to characters, or BBCode."""
    return any((found[1] or "!").lower() in _TAGS for found in _TAG.finditer(text)) or bool(
        _REFERENCE.search(text) or _BBCODE.search(text)
    )


def markup_rows(column: pa.Array) -> list[int]:
    """Return the rows of a column of texts that have markup."""
    suspects = pc.match_substring_regex(column, r"<[/!A-Za-z]|&[A-Za-z#]|\[[/A-Za-z]").fill_null(False)
    places = pc.indices_nonzero(suspects).to_pylist()
    return [row for row, text in zip(places, column.filter(suspects).to_pylist(), strict=True) if has_markup(text)]


_TAGS = frozenset(
    "! a abbr article aside audio b blockquote body br button center code dd div dl dt em figure font footer form frame h1 h2 h3 h4 h5 h6 head"
    " header hr html i iframe img input label li link main meta nav ol option p pre s script section select small span strike strong style sub"
    " sup svg table tbody td textarea tfoot th thead title tr tt u ul video".split()
)
_TAG = re.compile(
    r"""<(?:!--|/?([A-Za-z][A-Za-z0-9]{0,15})(?:\s{1,9}[A-Za-z-]{1,40}\s?=\s?(?:"[^"<>]{0,500}"|'[^'<>]{0,500}'|[^\s"'<>]{1,500})){0,20}\s{0,9}/?>)"""
)
_REFERENCE = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|copy|reg|hellip|mdash|ndash|[lr]squo|[lr]dquo|middot|bull|euro|[aeiou](?:acute|grave|uml|circ)|szlig|#\d{2,6}|#x[0-9A-Fa-f]{2,5});"
)
_BBCODE = re.compile(
    r"\[(b|i|u|url|img|quote|code|size|color)(?:=[^\]\[]{1,200})?\].{0,2000}?\[/\1\]", re.IGNORECASE | re.DOTALL
)

_CP1252_HIGH = "".join(
    character for code in range(0x80, 0x100) if (character := bytes([code]).decode("cp1252", "ignore"))
)
_HIGH = "\x80-\xff" + "".join(character for character in _CP1252_HIGH if ord(character) > 0xFF)
"""What Latin-1 and cp1252 make of the bytes from 0x80 on, as a class of a pattern."""
_RUN = re.compile(f"[{_HIGH}]{{2,}}")
_AFTER_LETTERS = frozenset("…“”‘’«»‹›–—•·™®©º\xa0")
"""What may stand behind an accented letter."""
_PAIRS = re.compile(rb"(?:[\xa1-\xc8][\xa1-\xfe])+")
_HANGUL_LEADS = range(0xB0, 0xC9)
_FEWEST_SYLLABLES = 3
_LATIN_SHARE = 0.3
_RARE_SHARE, _FEWEST_RARE = 0.25, 3
_ESCAPE = re.compile(r"(?:\\u[0-9A-Fa-f]{4}){2,}|(?:\\x[0-9A-Fa-f]{2}){3,}")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\x80-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_QUESTION_RUN = re.compile(r"\?{2,}")
_QUESTION_SHARE, _FEWEST_QUESTIONS, _FEWEST_RUNS = 0.4, 6, 2


def _has_utf8_as_latin(text: str) -> bool:
    """Return whether decoding runs of high characters as UTF-8 gives letters or punctuation."""
    weight = 0
    for run in _RUN.findall(text):
        raw = _to_bytes(run)
        place = 0
        while place < len(raw):
            size = (
                2
                if 0xC2 <= raw[place] <= 0xDF
                else 3
                if 0xE0 <= raw[place] <= 0xEF
                else 4
                if 0xF0 <= raw[place] <= 0xF4
                else 0
            )
            try:
                letter = raw[place : place + size].decode("utf-8") if size else ""
            except UnicodeDecodeError:
                letter = ""
            weight += _weigh(letter, run[place : place + size]) if letter else 0
            place += size if letter else 1
        if weight >= 2:
            return True
    return False


def _weigh(letter: str, read_as: str) -> int:
    """Return how much a decoded letter tells: 2 is enough; 0 where the characters may stand side by side in a text."""
    if (
        read_as[0] == "\xc2"
    ):  # an accented capital in front of punctuation is of no language but Romanian and Vietnamese, which have no such ends
        return 2 if letter in "\xa0°©®£§«»·½¼¾´¡¿" else 0
    if read_as[0] == "\xc3":
        return 1 if read_as[1] in _AFTER_LETTERS - set("©®º\xa0") else 2
    if read_as.startswith(("â€", "ï»¿", "ð\x9f", "ðŸ")):
        return 2
    if len(letter.encode()) == 2:  # the other letters of two bytes: Cyrillic and Greek, Hebrew and Arabic as runs only
        return 1 if "\u0391" <= letter <= "\u044f" or "\u05d0" <= letter <= "\u064a" else 0
    if _AFTER_LETTERS.issuperset(read_as[1:]):
        return 0
    return 2 if "\uac00" <= letter <= "\ud7a3" or "\u3040" <= letter <= "\u30ff" else 1


def _has_korean_as_latin(text: str) -> bool:
    """Return whether high characters are syllables of EUC-KR in pairs; no language of Latin letters has so many side by side."""
    syllables = high = 0
    for run in _RUN.findall(text):
        raw = _to_bytes(run)
        high += len(raw)
        syllables += sum(lead in _HANGUL_LEADS for lead in raw[::2]) if _PAIRS.fullmatch(raw) else 0
    plain = sum(character.isascii() and character.isalpha() for character in text)
    return syllables >= _FEWEST_SYLLABLES and 2 * syllables >= 0.7 * high and high >= _LATIN_SHARE * plain


def _has_utf8_as_korean(text: str) -> bool:
    """Return whether many syllables are among those that Korean does not use: cp949 has them for bytes that EUC-KR leaves out."""
    hangul = [character for character in text if "\uac00" <= character <= "\ud7a3"]
    rare = sum(character not in _common_syllables() for character in hangul)
    return rare >= _FEWEST_RARE and rare >= _RARE_SHARE * len(hangul)


@cache
def _common_syllables() -> frozenset[str]:
    """Return the 2,350 syllables of KS X 1001, which are nearly all that texts have."""
    return frozenset(
        syllable for code in range(0xAC00, 0xD7A4) if len((syllable := chr(code)).encode("euc_kr", "ignore")) == 2
    )


def _has_questions(text: str) -> bool:
    """Return whether a text is mostly question marks in several groups, as in `???? ??? ??`."""
    groups = _QUESTION_RUN.findall(text)
    marks = sum(map(len, groups))
    shown = sum(not character.isspace() for character in text)
    return len(groups) >= _FEWEST_RUNS and marks >= _FEWEST_QUESTIONS and marks >= _QUESTION_SHARE * shown


def _to_bytes(run: str) -> bytes:
    """Return the bytes of characters that Latin-1 or cp1252 gave."""
    return b"".join(
        character.encode("latin-1") if ord(character) < 256 else character.encode("cp1252") for character in run
    )


_DAMAGE: dict[str, Callable[[str], bool]] = {
    REPLACED: lambda text: "\ufffd" in text,
    KOREAN_AS_LATIN: _has_korean_as_latin,
    UTF8_AS_LATIN: _has_utf8_as_latin,
    UTF8_AS_KOREAN: _has_utf8_as_korean,
    ESCAPES: lambda text: bool(_ESCAPE.search(text)),
    CONTROLS: lambda text: bool(_CONTROL.search(text)),
    QUESTIONS: _has_questions,
}
"""What tells damage for sure, by kind; the one that explains most first."""
_IS_WRONG, _IS_HIGH, _IS_RARE, _IS_QUESTION, _IS_BACKSLASH = 1, 2, 4, 8, 16


@cache
def _marks() -> NDArray[np.uint8]:
    """Return what each code point of the first plane may be a sign of."""
    table = np.zeros(1 << 16, np.uint8)
    table[0xFFFD] |= _IS_WRONG
    for code in range(1 << 16):
        character = chr(code)
        if _CONTROL.match(character):
            table[code] |= _IS_WRONG
        if 0xAC00 <= code <= 0xD7A3 and character not in _common_syllables():
            table[code] |= _IS_RARE
    table[[ord(character) for character in _CP1252_HIGH]] |= _IS_HIGH
    table[0x80:0x100] |= _IS_HIGH
    table[ord("?")] |= _IS_QUESTION
    table[ord("\\")] |= _IS_BACKSLASH
    return table


def _suspects(texts: CodePoints) -> NDArray[np.int64]:
    """Return the rows of texts that may be damaged; no damaged one is left out."""
    marks = _marks()[np.minimum(texts.values, 0xFFFE)]
    marks[texts.values > 0xFFFF] = 0
    if not marks.any():
        return np.zeros(0, np.int64)
    following = np.append(marks[1:], np.uint8(0))
    signs = (marks & _IS_WRONG) | (marks & following & (_IS_HIGH | _IS_QUESTION)) | (marks & (_IS_RARE | _IS_BACKSLASH))
    return np.unique(texts.owners(np.flatnonzero(signs)))
