"""The words of training texts, bounded, and how many words of other texts are not among them.

A word counts once for each text. Words of scripts without spaces are pairs of characters; of Korean, whose words end in particles,
the first two syllables count. How many words are unseen in texts of the same kind follows from the training texts alone: as many
as are in one of them only (I. J. Good, "The population frequencies of species and the estimation of population parameters",
Biometrika 40, 1953). The vocabulary is kept beside the statistics, so that later texts are compared with the champion's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.examples.safe_parquet import pq
from components._core.texts.code_points import HAN, HANGUL, KANA, CodePoints, Hashes, find_words, mix

FILE = "vocabulary.parquet"
MOST_WORDS = 1 << 18
"""Words of a column that are kept, those of most texts: 2 MiB."""
_MOST_COUNTED = 1 << 20
_PENDING = 1 << 20
_STEM = 2
"""Syllables of a Korean word that count."""
_SHARE = "unseen"


@dataclass(frozen=True)
class Vocabulary:
    """The words of some texts.

    Attributes:
        words: Sorted hashes (uint64 [words]).
        expected: Share of unseen words that is expected in other texts of the same kind, 0 to 1.
    """

    words: Hashes
    expected: float

    def unseen(self, words: Hashes) -> int:
        """Return how many words are not in it."""
        if not len(self.words):
            return len(words)
        places = np.minimum(np.searchsorted(self.words, words), len(self.words) - 1)
        return int((self.words[places] != words).sum())


@dataclass
class WordCounter:
    """Counts the texts that have each word, in bounded memory: beyond a million words, those of one text are forgotten."""

    _words: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    _counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _pending: list[Hashes] = field(default_factory=list)
    _waiting: int = 0
    _total: int = 0
    _forgotten: int = 0

    def add(self, words: Hashes) -> None:
        """Count the words of some texts, each once for each text."""
        self._pending.append(words)
        self._waiting += len(words)
        self._total += len(words)
        if self._waiting >= _PENDING:
            self._merge()

    def vocabulary(self) -> Vocabulary:
        """Return the words of most texts."""
        self._merge()
        single = self._counts == 1
        words = self._words
        unseen = int(single.sum()) + self._forgotten
        if len(words) > MOST_WORDS:
            kept = np.sort(np.argsort(-self._counts, kind="stable")[:MOST_WORDS])
            left_out = np.ones(len(words), bool)
            left_out[kept] = False
            unseen += int(self._counts[left_out & ~single].sum())
            words = words[kept]
        return Vocabulary(words, unseen / self._total if self._total else 0.0)

    def _merge(self) -> None:
        if not self._pending:
            return
        new, counts = np.unique(np.concatenate(self._pending), return_counts=True)
        self._pending, self._waiting = [], 0
        words, inverse = np.unique(np.concatenate([self._words, new]), return_inverse=True)
        total = np.bincount(inverse, weights=np.concatenate([self._counts, counts]), minlength=len(words)).astype(
            np.int64
        )
        if len(words) > _MOST_COUNTED:
            kept = total > 1
            self._forgotten += int((~kept).sum())
            words, total = words[kept], total[kept]
        self._words, self._counts = words, total


def words_of(texts: CodePoints) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the words of texts, each once for each text, and the text of each."""
    found = find_words(texts)
    letters, _ = texts.words
    first = letters.classes[found.begins] if len(found.begins) else np.zeros(0, np.uint8)
    is_run = (first == HAN) | (first == KANA)
    ends = np.where(first == HANGUL, np.minimum(found.ends, found.begins + _STEM), found.ends)
    hashes = [letters.hash_ranges(found.begins, ends)[~is_run]]
    owners = [found.owners[~is_run]]
    if is_run.any():
        sizes = np.maximum(found.ends - found.begins - 1, 1)[is_run]
        starts = (
            np.repeat(found.begins[is_run], sizes) + np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        )
        hashes.append(letters.hash_ranges(starts, np.minimum(starts + 2, np.repeat(found.ends[is_run], sizes))))
        owners.append(np.repeat(found.owners[is_run], sizes))
    words, texts_of = np.concatenate(hashes), np.concatenate(owners)
    _, once = np.unique(mix(words + texts_of.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)), return_index=True)
    return words[once], texts_of[once]


def save(vocabularies: dict[str, Vocabulary], folder: Path) -> None:
    """Write vocabularies by column beside the statistics."""
    names = list(vocabularies)
    lengths = [len(vocabularies[name].words) for name in names]
    columns = pa.array(np.repeat(np.arange(len(names), dtype=np.int32), lengths))
    words = np.concatenate([np.zeros(0, np.uint64), *(vocabularies[name].words for name in names)])
    shares = {name: vocabularies[name].expected for name in names}
    table = pa.table({"column": columns, "word": words}).replace_schema_metadata({_SHARE: json.dumps(shares)})
    aside = folder / f".{FILE}"
    pq.write_table(table, aside)
    aside.replace(folder / FILE)


def parse(content: bytes) -> dict[str, Vocabulary]:
    """Read vocabularies by column.

    Raises:
        ValueError: When it is not such a file.
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
        shares = json.loads(table.schema.metadata[_SHARE.encode()])
        numbers, words = table["column"].to_numpy(), table["word"].to_numpy()
    except (pa.ArrowException, KeyError, TypeError, OSError) as error:
        raise ValueError(f"not a vocabulary: {error}") from None
    return {
        str(name): Vocabulary(np.sort(words[numbers == place]), float(share))
        for place, (name, share) in enumerate(shares.items())
    }
