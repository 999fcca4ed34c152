"""Texts that stand for a missing value."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from components._core.examples.row_hash import MISSING

MARKERS = frozenset(
    {
        *(marker.lower() for marker in MISSING),
        *(
            "--",
            "—",
            "–",
            "n.a.",
            "n/d",
            "nd",
            "nil",
            "(null)",
            "\\n",
            "#value!",
            "#ref!",
            "#div/0!",
            "#num!",
            "#name?",
        ),
    }
)
"""Texts, in lower case, that are a missing number, date or time of day."""
LABEL_MARKERS = ("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "?")
"""Texts that are a missing label. `None`, `-` and `na` are not among them: they are classes in public tables."""
_WORDS = frozenset({"unknown", "missing", "not available", "not applicable", "undefined", "tbd", "unk"})
_KOREAN_WORDS = frozenset({"미상", "모름", "없음", "해당없음", "해당 없음", "결측"})
MISSING_WORDS = _WORDS | _KOREAN_WORDS
"""Words, in lower case, that say in a column of numbers that there is none."""


def is_missing(trimmed: pa.Array) -> pa.Array:
    """Return where a text, without blanks around it, stands for a missing number, date or time.

    Args:
        trimmed: Texts, shape [values].
    """
    return is_any_of(pc.utf8_lower(trimmed), MARKERS)


def is_any_of(texts: pa.Array, values: Collection[str]) -> pa.Array:
    """Return where a text is one of some values; a null is none of them."""
    return pc.is_in(texts, value_set=pa.array(sorted(values), pa.string()))
