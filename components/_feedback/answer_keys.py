"""The values of some features as one text, which names an answer in place of an id (`feedback.labels.key`)."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_BETWEEN, _ESCAPE = "|", "\\"
_LACKING = "\\?"
"""Beginning of the name of an answer that lacks a value of its key; no escaped text begins so."""


def key_texts(columns: Sequence[pa.Array]) -> pa.Array:
    r"""Return a text for each row, different for different values, as in `UA|1545`; null where a value is missing.

    Args:
        columns: Values of the features of the key, in the types of `answers.features_of`.
    """
    parts = [_escaped(column.cast(pa.string())) for column in columns]
    return pc.binary_join_element_wise(*parts, _BETWEEN)


def name_answers(columns: Sequence[pa.Array], ids: pa.Array, rows: pa.Array) -> pa.Array:
    """Return the key of each answer; one that lacks a value of it has a name of its own, which no label has."""
    own = pc.binary_join_element_wise(_LACKING, ids, rows.cast(pa.string()), _BETWEEN)
    return pc.coalesce(key_texts(columns), own)


def _escaped(texts: pa.Array) -> pa.Array:
    doubled = pc.replace_substring(texts, _ESCAPE, 2 * _ESCAPE)
    return pc.replace_substring(doubled, _BETWEEN, _ESCAPE + _BETWEEN)
