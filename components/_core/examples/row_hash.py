"""Rule 2 of the split: one canonical form per cell, and a 64-bit hash per row that depends only on those.

The rule is fixed. A change would move rows between splits, so it needs a new rule, with this one kept beside it; golden
hashes in the tests pin it. It does not know which type a column was read as, so the hashes are the same for the raw
cells of a text file and for typed values.

1. Blanks around a text do not count.
2. A missing value is one value, however it is written (`MISSING`). It adds nothing to the row's hash: a new column in
   which old rows have no value does not move them.
3. A decimal number, as in 7, 7.0, +7, 007, -0, .5 or 1e3, is its number: whole numbers exactly, whatever their size;
   others as the nearest float32, which is what a model sees. Rows that a model cannot tell apart therefore have equal
   hashes.
4. Anything else is its text: a time without the zeros that its unit adds, bytes as base64.
5. Columns are identified by name, and their order does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.types.column_types import to_text

Hashes = NDArray[np.uint64]

MISSING = (
    *("", "?", "-", "."),
    *("NA", "Na", "na", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>"),
    *("NaN", "nan", "NAN", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    *("NULL", "Null", "null", "None", "none", "NONE"),
)
"""Spellings of a missing value, more than any reader recognises today: hashing two values alike does no harm."""
_DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_DECIMAL = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_EXACT = 2.0**53
"""From here on, float64 cannot represent every whole number."""
_INT64 = 2**63
_SEED = np.uint64(0x9E3779B97F4A7C15)
_WHOLE = np.uint64(0xA24BAED4963EE407)
_REAL = np.uint64(0x9FB21C651E98DF25)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_FACTOR_1, _FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def hash_rows(batch: pa.RecordBatch, columns: Iterable[str]) -> Hashes:
    """Hash each row by some of its columns.

    Args:
        batch: Raw cells as texts (dictionary-encoded or not), or typed values.
        columns: Names of the columns that count, in any order.

    Returns:
        Well-mixed uint64 values, shape [rows].
    """
    total = np.zeros(batch.num_rows, dtype=np.uint64)
    for name in columns:
        total += hash_column(batch.column(batch.schema.get_field_index(name)), name)
    return finish(total)


def finish(total: Hashes) -> Hashes:
    """Return the hashes of rows from the sums of what their columns add (`hash_column`)."""
    return _mix(total + _SEED)


def hash_column(column: pa.Array, name: str) -> Hashes:
    """Return what a column adds to the hash of each row: 0 where a value is missing."""
    salt = _hash_words([name])[0]
    if not _is_encoded_first(column.type):
        return _salted(*_hash_values(column), salt)
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    added = np.append(_salted(*_hash_values(encoded.dictionary), salt), np.uint64(0))
    return np.asarray(added[encoded.indices.fill_null(len(added) - 1).to_numpy(zero_copy_only=False)])


def _is_encoded_first(kind: pa.DataType) -> bool:
    """Return whether distinct values are hashed once: not for numbers, which are faster to hash than to deduplicate."""
    return not (pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _salted(hashes: Hashes, missing: NDArray[np.bool_], salt: np.uint64) -> Hashes:
    added = _mix(hashes + salt)
    added[missing] = 0
    return added


def _hash_values(values: pa.Array) -> tuple[Hashes, NDArray[np.bool_]]:
    """Return the hash of each value, and where one is missing."""
    if pa.types.is_integer(values.type):
        return _hash_integers(values), np.asarray(values.is_null())
    if pa.types.is_floating(values.type):
        reals = np.asarray(values.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False))
        return _hash_floats(reals), np.isnan(reals)
    return _hash_texts(_to_texts(values))


def _to_texts(values: pa.Array) -> pa.Array:
    if pa.types.is_decimal(values.type):  # pyarrow 10 does not cast them
        return pa.array([None if value is None else f"{value:f}" for value in values.to_pylist()], pa.string())
    return to_text(values)


def _hash_integers(values: pa.Array) -> Hashes:
    if pa.types.is_uint64(values.type) and (pc.max(values).as_py() or 0) >= _INT64:
        return _hash_exact([value or 0 for value in values.to_pylist()])
    return _hash_whole(np.asarray(values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)))


def _hash_floats(reals: NDArray[np.float64]) -> Hashes:
    hashes = _hash_reals(reals)
    beyond = np.abs(reals) >= _INT64
    if beyond.any():
        hashes[beyond] = [
            _hash_exact([int(real)])[0] if np.isfinite(real) else _hash_words([str(real)])[0] for real in reals[beyond]
        ]
    return hashes


def _hash_texts(values: pa.Array) -> tuple[Hashes, NDArray[np.bool_]]:
    trimmed = pc.utf8_trim_whitespace(values)
    missing = np.asarray(pc.is_in(trimmed, value_set=pa.array(MISSING))) | np.asarray(trimmed.is_null())
    numbers = _to_numbers(trimmed)
    is_number = np.abs(numbers) <= _FLOAT32_MAX
    hashes = _hash_reals(numbers)
    if (large := is_number & (np.abs(numbers) >= _EXACT)).any():
        hashes[large] = _hash_exact([_to_integer(text) for text in trimmed.filter(pa.array(large)).to_pylist()])
    if (words := ~is_number & ~missing).any():
        hashes[words] = _hash_words(trimmed.filter(pa.array(words)).to_pylist())
    return hashes, missing


def _to_numbers(texts: pa.Array) -> NDArray[np.float64]:
    """Parse each text as a float64; NaN where it is not a number."""
    try:
        return np.asarray(texts.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:  # some are not numbers, or not as Arrow takes them (+7)
        is_number = pc.match_substring_regex(texts, _DECIMAL)
        numbers = np.full(len(texts), np.nan)
        found = pc.replace_substring_regex(texts.filter(is_number), r"^\+", "").cast(pa.float64())
        numbers[np.asarray(is_number)] = found.to_numpy(zero_copy_only=False)
        return numbers


def _to_integer(text: str) -> int:
    """Parse a text as a whole number: exactly where it is written out, else (1e20) by its float64."""
    written_out = _WHOLE_DECIMAL.fullmatch(text)
    return int(written_out[1]) if written_out else int(float(text))


def _hash_reals(reals: NDArray[np.float64]) -> Hashes:
    """Hash numbers: whole ones below 2**63 exactly, others as the nearest float32; NaN gets a hash that is not used."""
    with np.errstate(invalid="ignore", over="ignore"):
        single = reals.astype(np.float32)
        seen = np.where(np.floor(reals) == reals, reals, single.astype(np.float64))
        is_whole = (np.floor(seen) == seen) & (np.abs(seen) < _INT64)
        whole = np.where(is_whole, seen, 0).astype(np.int64)
    return np.where(is_whole, _hash_whole(whole), _mix(single.view(np.uint32).astype(np.uint64) ^ _REAL))


def _hash_whole(numbers: NDArray[np.int64]) -> Hashes:
    return _mix(numbers.astype(np.int64, copy=False).view(np.uint64) ^ _WHOLE)


def _hash_exact(numbers: list[int]) -> Hashes:
    """Hash whole numbers of any size: beyond int64 by their digits."""
    return np.array(
        [
            _hash_whole(np.array([number]))[0] if -_INT64 <= number < _INT64 else _hash_words([str(number)])[0]
            for number in numbers
        ],
        dtype=np.uint64,
    )


def _hash_words(texts: list[str]) -> Hashes:
    """SipHash-2-4 of each text in UTF-8, with the key 0123456789123456."""
    from pandas.util import hash_array  # naru-light, which reads labels and hashes no row, has no pandas

    return np.asarray(hash_array(np.asarray(texts, dtype=object), categorize=False))


def _mix(values: NDArray[np.uint64]) -> Hashes:
    """The finaliser of SplitMix64: every bit of the input moves half of the bits of the output."""
    with np.errstate(over="ignore"):
        mixed = values ^ (values >> _SHIFT_1)
        mixed *= _FACTOR_1
        mixed ^= mixed >> _SHIFT_2
        mixed *= _FACTOR_2
        mixed ^= mixed >> _SHIFT_3
        return np.asarray(mixed)
