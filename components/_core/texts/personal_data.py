"""Find and mask personal data in texts: mail addresses, phone numbers, payment cards, Korean resident registration numbers.

What a rule can tell: numbers are held against their check digits and dates where they have any, so that an order number is
not taken for a card. Names and postal addresses are not found. Ingest and the predictor call the same functions, so a
model never learns from what it does not see later. Every pattern looks at a bounded number of characters from one place,
so the time is linear in the text's length.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

MAIL, PHONE, CARD, RESIDENT_NUMBER = "mail", "phone", "card", "resident_number"
KINDS = (MAIL, RESIDENT_NUMBER, CARD, PHONE)
"""All kinds; where two fit the same characters, the first one counts."""


@dataclass(frozen=True)
class Found:
    """Personal data at a place of a text.

    Attributes:
        kind: One of `KINDS`.
        start: Its first character.
        end: The character behind its last one.
    """

    kind: str
    start: int
    end: int


def find(text: str, kinds: Collection[str] = KINDS) -> list[Found]:
    """Return the personal data in a text, in order and without overlaps."""
    found: list[Found] = []
    plain = text if text.isascii() else text.translate(_PLAIN)
    for kind in KINDS:
        if kind in kinds:
            for start, end in _FINDERS[kind](plain):
                place = bisect(found, start, key=lambda one: one.start)
                is_behind = place == 0 or found[place - 1].end <= start
                if is_behind and (place == len(found) or end <= found[place].start):
                    found.insert(place, Found(kind, start, end))
    return found


def mask(text: str, kinds: Collection[str] = KINDS) -> str:
    """Replace personal data by its kind, as in `[mail]`; a masked text is not changed again."""
    if not (found := find(text, kinds)):
        return text
    parts, end = [], 0
    for one in found:
        parts += [text[end : one.start], placeholder(one.kind)]
        end = one.end
    return "".join([*parts, text[end:]])


def placeholder(kind: str) -> str:
    """Return what stands in a masked text for data of a kind."""
    return f"[{kind}]"


def may_have(column: pa.Array, kinds: Collection[str] = KINDS) -> pa.Array:
    """Return quickly which texts may have personal data (bool [rows]); false where a text is null or surely has none."""
    marks = [pc.match_substring_regex(column, "[@\uff20]")] if MAIL in kinds else []
    if set(kinds) - {MAIL}:
        marks.append(pc.match_substring_regex(column, _ENOUGH_DIGITS))
    result = pa.array([False] * len(column)) if not marks else marks[0]
    for more in marks[1:]:
        result = pc.or_(result, more)
    return result.fill_null(False)


def mask_column(column: pa.Array, kinds: Collection[str]) -> tuple[pa.Array, dict[str, int]]:
    """Mask a column of texts.

    Returns:
        The column, and the number of texts in which each kind was found.
    """
    counts: dict[str, int] = {}
    if not kinds:
        return column, counts
    chosen = may_have(column, kinds)
    masked = []
    for text in column.filter(chosen).to_pylist():
        found = find(text, kinds)
        for kind in {one.kind for one in found}:
            counts[kind] = counts.get(kind, 0) + 1
        masked.append(mask(text, kinds) if found else text)
    if not counts:
        return column, counts
    return pc.replace_with_mask(column, chosen, pa.array(masked, column.type)), counts


def count_column(column: pa.Array, kinds: Collection[str] = KINDS) -> dict[str, list[int]]:
    """Return the rows of a column of texts that have personal data, by kind."""
    rows: dict[str, list[int]] = {}
    chosen = may_have(column, kinds)
    places = pc.indices_nonzero(chosen).to_pylist()
    for row, text in zip(places, column.filter(chosen).to_pylist(), strict=True):
        for kind in {one.kind for one in find(text, kinds)}:
            rows.setdefault(kind, []).append(row)
    return rows


_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
_BLANKS = "\u00a0\u2002\u2003\u2007\u2009\u202f\u3000"
_WIDE = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_PLAIN: dict[int, int | str] = {
    **_WIDE,
    **dict.fromkeys(map(ord, _DASHES), "-"),
    **dict.fromkeys(map(ord, _BLANKS), " "),
}
"""What is written for the ASCII characters of a number or an address, one for one: wide forms, as of a Korean or Japanese keyboard, dashes, blanks."""
_DIGIT_CLASS = "[0-9\uff10-\uff19]"
_ENOUGH_DIGITS = _DIGIT_CLASS + f"(?:[ .()\\-{_DASHES}{_BLANKS}\uff08\uff09\uff0e]{{0,3}}{_DIGIT_CLASS}){{6}}"
"""RE2, as Arrow has it; the shortest number here has seven digits."""
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-")
"""Characters of the part before the @ (RFC 5322, dot-atom)."""
_LONGEST_LOCAL = 64
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}|[A-Za-z]{2,24})"
)
_ALONE = r"(?<!\d)(?<!\d[-.])"
_END = r"(?!\d)(?![-.]\d)"
_RESIDENT = re.compile(_ALONE + r"(\d{2})(\d{2})(\d{2})( ?- ?| ?)([1-8])\d{6}" + _END)
_CARD = re.compile(
    _ALONE
    + r"(?:\d{13,19}|(?P<a>\d{4})(?P<s>[ -])\d{4}(?P=s)\d{4}(?P=s)\d{1,4}(?:(?P=s)\d{1,3})?|\d{4}(?P<t>[ -])\d{6}(?P=t)\d{4,5})"
    + _END
)
_SPACES = r"[-. ]?"
_PHONES = [
    # Korea: mobile, Seoul, other areas and services with a leading zero; +82 and 0082 leave it out
    re.compile(
        _ALONE
        + r"(?:(?:\+|00)82[-. ]?\(?0?\)?|\(?0)(?:1[016789]|2|[3-6][1-5]|70|50[2-8]|80)\)?(?: ?[-.] ?| ?)\d{3,4}(?: ?[-.] ?| ?)\d{4}"
        + _END
    ),
    # any country: a plus sign or 00, the country's number, at least 7 and at most 15 digits (E.164)
    re.compile(r"(?<![\d+])(?:\+|(?<![.,-])00(?=[1-9]\d{0,2}[-. (]))[1-9](?:[-. ()/]{0,2}\d){6,14}" + _END),
    # North America, with separators; an area code and an exchange begin with 2 to 9
    re.compile(_ALONE + r"(?:1[-. ])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])[2-9]\d{2}[-. ]\d{4}" + _END),
    # Japan and much of Europe: a leading zero and 9 to 11 digits in at least three groups, or in two behind a long area code
    re.compile(_ALONE + r"(?<!\d )\(?0[1-9]\d{0,3}\)?[-. /]\d{2,4}(?:[-. ]\d{2,4}){1,3}(?! ?\d)(?![-.]\d)"),
    re.compile(_ALONE + r"(?<!\d )\(?0[1-9]\d{1,3}\)?[- /]\d{6,8}(?! ?\d)(?![-.]\d)"),
]
_FEWEST_DIGITS, _MOST_DIGITS = 9, 12
_NOT_A_PHONE = re.compile(r"0?\d[-./ ]0?\d[-./ ]\d{4}")
"""A date with the day first."""
_DIGIT = re.compile(r"\d")


def _find_mails(text: str) -> Iterator[tuple[int, int]]:
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        start = at
        while domain and start > 0 and at - start < _LONGEST_LOCAL and text[start - 1] in _LOCAL:
            start -= 1
        while start < at and text[start] in ".'`*{(":  # quotes and emphasis around an address
            start += 1
        if domain and start < at and text[at - 1] != ".":
            yield start, domain.end()
        at = text.find("@", at + 1)


def _find_residents(text: str) -> Iterator[tuple[int, int]]:
    for one in _RESIDENT.finditer(text):
        digits = [int(digit) for digit in _digits(one[0])]
        born = _birthday(one[1], one[2], one[3], one[5])
        if born is None:
            continue
        # Numbers given from October 2020 on are random after the digit of the sex; only the hyphen tells them from others.
        if _has_check_digit(digits) or (born >= _RANDOM_FROM and "-" in one[4]):
            yield one.span()


_RANDOM_FROM = date(2020, 10, 1)
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)


def _birthday(year: str, month: str, day: str, sex: str) -> date | None:
    century = 1900 if sex in "1256" else 2000
    try:
        born = date(century + int(year), int(month), int(day))
    except ValueError:
        return None
    return born if born <= date.today() else None


def _has_check_digit(digits: list[int]) -> bool:
    total = sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=False))
    foreign = 2 if digits[6] >= 5 else 0
    return (11 - total % 11 + foreign) % 10 == digits[12]


def _find_cards(text: str) -> Iterator[tuple[int, int]]:
    for one in _CARD.finditer(text):
        digits = _digits(one[0])
        if _is_issued(digits) and passes_luhn(digits):
            yield one.span()


def passes_luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_issued(digits: str) -> bool:
    """Return whether a network issues cards of this length that begin so; 9 is that of Korea's own cards."""
    size, two, four = len(digits), int(digits[:2]), int(digits[:4])
    if len(set(digits)) == 1:
        return False
    return (
        (digits[0] == "4" and size in (13, 16, 19))
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)
        or (two in (34, 37) and size == 15)
        or ((two in (36, 38, 39) or 300 <= int(digits[:3]) <= 305) and size == 14)
        or ((two in (35, 62, 64, 65) or four == 6011 or digits[0] == "9") and size == 16)
        or (two in (50, 56, 57, 58, 62, 63, 67) and 16 <= size <= 19)
    )


def _find_phones(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PHONES:
        for one in pattern.finditer(text):
            digits = _digits(one[0])
            is_national = digits[0] == "0" and digits[:2] != "00"
            if is_national and not _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS:
                continue
            if len(digits) > 17 or _NOT_A_PHONE.fullmatch(one[0]):
                continue
            yield one.span()


def _digits(text: str) -> str:
    return "".join(_DIGIT.findall(text))


_FINDERS = {MAIL: _find_mails, RESIDENT_NUMBER: _find_residents, CARD: _find_cards, PHONE: _find_phones}
