"""A column of texts as code points: one NumPy array for all of them, so that no loop over texts is needed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]

OTHER, DIGIT, SYMBOL, LATIN, HANGUL, KANA, HAN, CYRILLIC, GREEK, ARABIC, HEBREW, THAI, DEVANAGARI, LETTER = range(14)
"""Classes of a code point: `SYMBOL` has emoji and their like, `LETTER` those of all other scripts."""
SCRIPTS = ("", "", "", "Latn", "Hang", "Kana", "Hani", "Cyrl", "Grek", "Arab", "Hebr", "Thai", "Deva", "Zzzz")
"""Code of each class's script in ISO 15924; kana are `Kana` also in hiragana, and other letters `Zzzz`."""
_FACTOR = 0x9E3779B97F4A7C15
_INVERSE = pow(_FACTOR, -1, 1 << 64)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_BMP = 1 << 16
_SPACE = 32
_MOST_BYTES = 1 << 16
"""Bytes of texts at a time: what is computed of them stays in the processor's cache."""
_RANGES = (
    (HANGUL, ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FB), (0xFFA0, 0xFFDC))),
    (KANA, ((0x3041, 0x309F), (0x30A1, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))),
    (HAN, ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))),
    (LATIN, ((0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0x24F), (0x1E00, 0x1EFF), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))),
    (CYRILLIC, ((0x400, 0x52F),)),
    (GREEK, ((0x370, 0x3FF), (0x1F00, 0x1FFF))),
    (ARABIC, ((0x600, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC))),
    (HEBREW, ((0x590, 0x5FF),)),
    (THAI, ((0xE00, 0xE7F),)),
    (DEVANAGARI, ((0x900, 0x97F),)),
)  # fmt: skip


@dataclass(frozen=True)
class CodePoints:
    """The code points of some texts.

    Attributes:
        values: All code points (uint32 [characters]).
        starts: Where each text begins, and the end (int64 [texts + 1]).
    """

    values: NDArray[np.uint32]
    starts: Integers

    @property
    def count(self) -> int:
        """Number of texts."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> Integers:
        """Number of characters of each text."""
        return np.diff(self.starts)

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """Class of each code point (uint8 [characters])."""
        if not len(self.values) or self.values.max() < _BMP:
            return np.take(_classes(), self.values)
        return np.take(_classes(), np.minimum(self.values, _beyond(self.values)))

    @cached_property
    def lower(self) -> NDArray[np.uint32]:
        """The code points in lower case."""
        if not len(self.values) or self.values.max() < _BMP:
            return np.take(_lower(), self.values)
        return np.where(self.values < _BMP, np.take(_lower(), np.minimum(self.values, _BMP - 1)), self.values)

    @cached_property
    def words(self) -> tuple[CodePoints, NDArray[np.bool_]]:
        """The words alone: letters, digits and symbols in lower case with one space between words, and which texts are of a wide script.

        A letter of a wide script is a syllable or a word: Hangul, kana and Han.
        """
        is_told = self.classes >= DIGIT
        is_gap = np.zeros(len(is_told), bool)
        is_gap[1:] = is_told[:-1]
        is_gap &= ~is_told
        is_gap[self.starts[:-1][self.lengths > 0]] = False
        is_kept = is_told | is_gap
        values = np.where(is_gap, np.uint32(_SPACE), self.lower)[is_kept]
        starts = _before(is_kept)[self.starts]
        last = starts[1:][np.diff(starts) > 0] - 1
        is_inner = np.ones(len(values), bool)  # a space behind the last word is not between words
        is_inner[last] = values[last] != _SPACE
        words = CodePoints(values[is_inner], _before(is_inner)[starts])
        is_wide = (self.classes == HANGUL) | (self.classes == KANA) | (self.classes == HAN)
        return words, 2 * self.count_each(is_wide) > self.count_each(is_told)

    @cached_property
    def _sums(self) -> Hashes:
        """Sums of the code points before each place, each by a power of a number (uint64 [characters + 1])."""
        sums = np.zeros(len(self.values) + 1, np.uint64)
        np.cumsum(self.values * _powers(len(self.values)), out=sums[1:])
        return sums

    def hash_ranges(self, begins: Integers, ends: Integers) -> Hashes:
        """Hash ranges of the code points: a polynomial of them modulo 2^64, mixed; equal ranges have equal hashes."""
        sums = self._sums
        shifted = (sums[ends] - sums[begins]) * _inverse_powers(len(sums))[begins]
        return mix(shifted + (ends - begins).astype(np.uint64) * np.uint64(_FACTOR))

    def owners(self, values: NDArray[np.int64] | None = None) -> Integers:
        """Return the text of each code point, or of the given places."""
        if values is None:
            return np.repeat(np.arange(self.count), self.lengths)
        return np.searchsorted(self.starts, values, side="right") - 1

    def count_each(self, marked: NDArray[np.bool_]) -> Integers:
        """Count the marked code points of each text."""
        sums = _before(marked)
        return np.asarray(sums[self.starts[1:]] - sums[self.starts[:-1]])


@dataclass(frozen=True)
class Words:
    """The words of some texts.

    Attributes:
        hashes: A hash of each word (uint64 [words]).
        owners: The text of each word (int64 [words]).
        begins: Place of its first letter in the code points of `CodePoints.words`.
        ends: The place behind its last one.
    """

    hashes: Hashes
    owners: Integers
    begins: Integers
    ends: Integers


def read_column(column: pa.Array) -> Iterator[tuple[int, CodePoints]]:
    """Yield a column's texts as code points, some megabytes at a time, with the row of the first one; a null is an empty text."""
    if pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    column = column.fill_null("") if column.null_count else column
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1].astype(
        np.int64
    )
    data = column.buffers()[2]
    first = 0
    while first < len(column):
        last = max(int(np.searchsorted(offsets, offsets[first] + _MOST_BYTES, side="right")) - 1, first + 1)
        begin, end = int(offsets[first]), int(offsets[last])
        raw = data[begin:end].to_pybytes() if data is not None and end > begin else b""
        yield first, _decode(raw, offsets[first : last + 1] - begin)
        first = last


def read_texts(texts: list[str]) -> CodePoints:
    """Return the code points of some texts."""
    parts = [code for _, code in read_column(pa.array(texts, pa.string()))]
    shifts = np.cumsum([0, *(len(part.values) for part in parts)])
    starts = [part.starts[:-1] + shift for part, shift in zip(parts, shifts, strict=False)]
    return CodePoints(
        np.concatenate([np.zeros(0, np.uint32), *(part.values for part in parts)]),
        np.concatenate([*starts, shifts[-1:]]).astype(np.int64),
    )


def find_words(texts: CodePoints) -> Words:
    """Find the words of texts: runs of letters and digits, in lower case."""
    words, _ = texts.words
    is_border = np.ones(len(words.values) + 1, bool)
    is_border[1:-1] = words.values[:-1] == _SPACE
    is_border[words.starts] = True
    borders = np.flatnonzero(is_border)
    begins, ends = borders[:-1], borders[1:]
    ends = ends - (words.values[ends - 1] == _SPACE)
    return Words(words.hash_ranges(begins, ends), words.owners(begins), begins, ends)


def hash_words(words: list[str]) -> Hashes:
    """Return the hashes that `find_words` gives words in lower case."""
    texts = read_texts(words)
    return texts.hash_ranges(texts.starts[:-1], texts.starts[1:])


def mix(values: Hashes) -> Hashes:
    """Mix the bits of whole numbers (finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return np.asarray(values ^ (values >> np.uint64(31)))


def _decode(raw: bytes, offsets: Integers) -> CodePoints:
    values = np.frombuffer(raw.decode("utf-8").encode("utf-32-le"), np.uint32)
    if len(values) == len(raw):
        return CodePoints(values, offsets)
    is_first = (np.frombuffer(raw, np.uint8) & 0xC0) != 0x80
    return CodePoints(values, _before(is_first)[offsets])


def _before(marked: NDArray[np.bool_]) -> Integers:
    """Return how many are marked before each place (int64 [places + 1])."""
    sums = np.zeros(len(marked) + 1, np.int64)
    np.cumsum(marked, out=sums[1:])
    return sums


def _beyond(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the entry of the table for code points that have none: planes 2 and 3 are Han, emoji are of plane 1."""
    return np.where(values >= 0x20000, _BMP + 2, np.where(values >= 0x1F000, _BMP + 1, np.uint32(_BMP))).astype(
        np.uint32
    )


@cache
def _classes() -> NDArray[np.uint8]:
    table = np.zeros(_BMP + 3, np.uint8)
    for code in range(_BMP):
        category = unicodedata.category(chr(code))
        if category[0] in "LM":
            table[code] = LETTER
        elif category == "Nd":
            table[code] = DIGIT
        elif category == "So":
            table[code] = SYMBOL
    for kind, ranges in _RANGES:
        for first, last in ranges:
            part = table[first : last + 1]
            part[part == LETTER] = kind
    table[_BMP:] = LETTER, SYMBOL, HAN
    return table


@cache
def _lower() -> NDArray[np.uint32]:
    return np.array([ord(low) if len(low := chr(code).lower()) == 1 else code for code in range(_BMP)], np.uint32)


_POWERS: dict[int, Hashes] = {}


def _powers(count: int) -> Hashes:
    return _cached_powers(_FACTOR, count)


def _inverse_powers(count: int) -> Hashes:
    return _cached_powers(_INVERSE, count)


def _cached_powers(factor: int, count: int) -> Hashes:
    known = _POWERS.get(factor)
    if known is None or len(known) < count:
        size = max(1 << 16, 1 << (count - 1).bit_length())
        factors = np.full(size, factor, np.uint64)
        factors[0] = 1
        known = _POWERS[factor] = np.cumprod(factors)
    return known[:count]
