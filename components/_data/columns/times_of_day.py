"""Times of day without a date (`02:30`, `3:15 PM`, `오후 3:15`): hours after midnight, so 02:30 is 2.5 and 3:15 PM is 15.25."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_TIME = (
    r"^(?P<before>(?:오전|오후)?)\s*(?P<hour>[0-9]{1,2})(?::|시\s*)(?P<minute>[0-9]{2})(?:분)?"
    r"(?::(?P<second>[0-9]{2}(?:\.[0-9]+)?))?\s*(?P<half>(?:[aApP]\.?\s?[mM]\.?)?)$"
)
_HOUR = r"^(?P<before>)(?P<hour>[0-9]{1,2})(?P<minute>)(?P<second>)\s*(?P<half>[aApP]\.?\s?[mM]\.?)$"


def parse_times(trimmed: pa.Array) -> pa.Array:
    """Parse texts as hours after midnight, float64; null where one is not a time of day.

    Args:
        trimmed: Texts without blanks around them, shape [values].
    """
    found = pc.extract_regex(trimmed, _TIME)
    alone = pc.extract_regex(trimmed, _HOUR)
    is_clock = found.is_valid()  # a part of a text that does not match is empty, not null
    part = {
        field.name: pc.if_else(is_clock, found.field(index), alone.field(index))
        for index, field in enumerate(found.type)
    }
    hour, minute, second = (
        np.asarray(pc.if_else(pc.equal(part[name], ""), "0", part[name]).cast(pa.float64()))
        for name in ("hour", "minute", "second")
    )
    half = pc.binary_join_element_wise(part["before"], pc.utf8_lower(part["half"]), "")
    afternoon = np.asarray(pc.match_substring_regex(half, "^(p|오후)"))
    morning = np.asarray(pc.match_substring_regex(half, "^(a|오전)"))
    valid = np.asarray(pc.or_(is_clock, alone.is_valid()))
    valid &= (hour <= np.where(afternoon | morning, 12, 24)) & (minute < 60) & (second < 61)
    hour = np.where(afternoon & (hour < 12), hour + 12, np.where(morning & (hour == 12), 0, hour))
    return pc.if_else(pa.array(valid), pa.array(hour + minute / 60 + second / 3_600), pa.scalar(None, pa.float64()))
