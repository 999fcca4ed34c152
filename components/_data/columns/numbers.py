"""Numbers as people write them: thousands, decimal comma, currency, percent, a unit behind the number.

The unit is dropped and not applied: `12.5%` is 12.5, `$1,234.50` is 1234.5, `401,000원` is 401000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Decimal = Literal[".", ","]

FLOAT32_MAX = float(np.finfo(np.float32).max)
_MOST_DIGITS = 18
"""Digits that fit an int64 whatever they are."""
_SPACES = "'’ \u00a0\u202f"
_MINUS = "−–"
_CURRENCY = (
    r"(?:US|A|AU|C|CA|HK|NT|S|R)?\$|[€£¥₩₹₽₺฿₫₴₪￦￥]|Rs\.?|kr\.?"
    "|USD|EUR|GBP|JPY|KRW|CNY|INR|CHF|AUD|CAD|SEK|NOK|DKK|PLN|BRL|MXN|SGD|HKD|TWD|THB|VND|RUB|TRY|ZAR"
)


def _pattern(decimal: Decimal) -> str:
    """Return the expression (RE2) of a whole cell, without blanks around it."""
    point, group = (r"\.", "," + _SPACES) if decimal == "." else (",", "." + _SPACES)
    fraction = f"(?:{point}[0-9]*)?"
    grouped = f"[0-9]{{1,3}}(?:[{group}][0-9]{{3}})+{fraction}"
    indian = f"[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}{fraction}" if decimal == "." else "[0-9]+"
    number = f"{grouped}|{indian}|[0-9]+{fraction}|{point}[0-9]+"
    sign = rf"[+\-{_MINUS}]"
    suffix = r"[^0-9\s.,'()+\-][^0-9.,()+]{0,14}"
    return (
        rf"^(?P<open>\(?)(?P<sign>{sign}?)\s*(?P<prefix>(?:{_CURRENCY})?)\s*(?P<inner>{sign}?)"
        rf"(?P<number>{number})(?P<exponent>(?:[eE][+\-]?[0-9]+)?)\s*(?P<suffix>(?:{suffix})?)(?P<close>\)?)(?P<behind>-?)$"
    )


_PATTERNS: dict[Decimal, str] = {".": _pattern("."), ",": _pattern(",")}


@dataclass(frozen=True)
class Numbers:
    """Texts as numbers.

    Attributes:
        plain: Each number as Arrow parses it, such as `-1234.5`; null where the text is not a number.
        units: What stands before or behind each number; empty where nothing does, null where it is not a number.
    """

    plain: pa.Array
    units: pa.Array

    @property
    def is_number(self) -> NDArray[np.bool_]:
        """Where a text is a number."""
        return np.asarray(self.plain.is_valid())

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Where a text is a whole number that fits an int64."""
        return np.asarray(pc.match_substring_regex(self.plain, rf"^-?[0-9]{{1,{_MOST_DIGITS}}}$").fill_null(False))


def parse_numbers(trimmed: pa.Array, decimal: Decimal) -> Numbers:
    """Parse texts as numbers.

    Args:
        trimmed: Texts without blanks around them, shape [values].
        decimal: The decimal separator; the other one of `.` and `,` separates thousands.
    """
    found = pc.extract_regex(trimmed, _PATTERNS[decimal])
    part = {field.name: found.field(index) for index, field in enumerate(found.type)}
    digits = pc.replace_substring_regex(part["number"], f"[{_SPACES}{',' if decimal == '.' else '.'}]", "")
    digits = pc.replace_substring(digits, ",", ".") if decimal == "," else digits
    minus = f"-{_MINUS}"
    marks = pc.binary_join_element_wise(part["sign"], part["inner"], part["behind"], "")
    is_negative = pc.or_(pc.match_substring_regex(marks, f"[{minus}]"), pc.equal(part["open"], "("))
    sign = pc.if_else(is_negative, "-", "")
    plain = pc.binary_join_element_wise(sign, digits, part["exponent"], "")
    units = pc.if_else(pc.equal(part["prefix"], ""), pc.utf8_trim_whitespace(part["suffix"]), part["prefix"])
    is_closed = pc.equal(pc.equal(part["open"], "("), pc.equal(part["close"], ")"))
    valid = pc.and_(found.is_valid(), is_closed.fill_null(False))
    nothing = pa.scalar(None, pa.string())
    return Numbers(pc.if_else(valid, plain, nothing), pc.if_else(valid, units, nothing))


def cast_numbers(numbers: Numbers, kind: pa.DataType) -> pa.Array:
    """Convert parsed numbers to int64 or float64; null where one is not a number of that type, or beyond float32."""
    if pa.types.is_integer(kind):
        return _where(numbers.is_whole, numbers.plain).cast(kind)
    reals = numbers.plain.cast(pa.float64())
    magnitude = np.abs(reals.fill_null(0.0).to_numpy(zero_copy_only=False))
    return _where(magnitude <= FLOAT32_MAX, reals).cast(kind)


def _where(mask: NDArray[np.bool_], values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(mask), values, pa.scalar(None, values.type))
