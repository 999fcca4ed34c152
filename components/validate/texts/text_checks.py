"""The checks of texts: one for each kind and column, always, with the share and the bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Check
from components._core.examples.artifact import Manifest
from components._core.project.gate_config import DataGates, Severity
from components._core.project.text_config import Texts
from components._core.project.text_gate_config import TextGates
from components._core.texts import damage, language
from components.validate.findings import to_status
from components.validate.pictures.outliers import deviations_for, upper_bound
from components.validate.texts.text_rows import Rows, TextRows, Unseen, read_texts
from components.validate.texts.vocabulary import Vocabulary

_DEVIATIONS = 4.0
_MOST_COMMON = 0.8
"""Share of one language from which texts in another one are unusual."""
_TELLING_CHARACTERS = 40
"""Length from which the language of a text counts where its script is the expected one."""
_FEWEST_WORDS = 1_000
"""Words from which the share of unseen ones is judged."""
_NOUNS = {
    "empty_texts": ("are missing or blank", "remove these rows, or find out where their texts were lost"),
    "long_texts": ("are unusually long", "look whether several texts were joined, or a file was read as one text"),
    "texts_of_another_language": ("are in another language than most", "remove them, or set data.texts.language"),
    "damaged_texts": ("are damaged", "read the source again in the right encoding (data.csv.encoding), or correct it"),
    "texts_with_markup": ("have markup", "strip tags and decode references to characters in the source"),
    "duplicate_texts": ("equal an earlier one", "remove the copies (data.rows.dedupe): they count more than once"),
    "near_duplicate_texts": ("nearly equal an earlier one", "remove the copies: they count more than once"),
    "texts_in_two_splits": (
        "of eval and test equal or nearly equal one of another split",
        "the model is evaluated on texts it was trained on: split by hash, which keeps them together, or remove the copies",
    ),
    "texts_with_two_labels": ("equal one with another label", "correct the labels"),
    "unseen_words": (
        "of the words are not in training",
        "look whether these texts are of the same kind; if they are, train on more of them",
    ),
    "personal_data": ("have personal data", "mask it with data.texts.mask, or remove it from the source"),
}
"""What was found of each kind, and what to do."""
TEXT_KINDS = tuple(_NOUNS)


@dataclass(frozen=True)
class FoundTexts:
    """Texts of one kind.

    Attributes:
        kind: Kind of finding (`findings.KINDS`).
        rows: Rows, those to be shown first first.
        examined: Number of texts examined.
        allowed: Share of them from which it is a finding.
        note: More about the finding; empty: none.
        originals: The row that each of some rows copies.
    """

    kind: str
    rows: Rows
    examined: int
    allowed: float
    note: str = ""
    originals: dict[int, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the examined texts, 0 to 1."""
        return len(self.rows) / self.examined if self.examined else 0.0


@dataclass(frozen=True)
class TextFindings:
    """The answer of the checks for one column.

    Attributes:
        texts: What was read.
        found: Texts by kind.
        checks: One check for each kind.
    """

    texts: TextRows
    found: tuple[FoundTexts, ...]
    checks: tuple[Check, ...]


def check_texts(
    examples: Path,
    manifest: Manifest,
    label: str,
    classes: bool,
    config: Texts,
    gates: DataGates,
    policy: dict[str, Severity],
    earlier: dict[str, Vocabulary] | None = None,
    name: str = "",
) -> list[TextFindings]:
    """Check the texts, for each column of `data.texts`.

    Args:
        examples: The examples artifact.
        manifest: Manifest of the examples.
        label: The label's column.
        classes: Whether the label's values are classes.
        config: `data.texts` of the project.
        gates: `gates.data` of the project.
        policy: Severity by kind, from `findings.severities`.
        earlier: The champion's vocabularies by column.
        name: Name of the champion's data, for messages.
    """
    found = []
    for column in config.columns:
        if column in manifest.columns:
            known = (earlier or {}).get(column)
            texts = read_texts(examples, manifest, column, label, known)
            found.append(_check_column(texts, classes, config, gates.texts, policy, known, name))
    return found


def _check_column(
    texts: TextRows,
    classes: bool,
    config: Texts,
    gates: TextGates,
    policy: dict[str, Severity],
    earlier: Vocabulary | None,
    name: str,
) -> TextFindings:
    found = [
        FoundTexts("empty_texts", texts.blank, len(texts), gates.empty),
        _long(texts, gates),
        _of_another_language(texts, config.language, gates),
        _damaged(texts, gates),
        FoundTexts("texts_with_markup", texts.markup, _count(texts), gates.markup),
        *_copies(texts, gates),
        _in_two_splits(texts, gates),
        *([_with_two_labels(texts, gates)] if classes else []),
        _personal(texts, gates),
    ]
    checks = [_check(each, texts.column, policy) for each in found]
    checks.append(_check_words(texts, gates, policy, earlier, name))
    return TextFindings(texts, tuple(found), tuple(checks))


def _count(texts: TextRows) -> int:
    return int(texts.has_text.sum())


def _long(texts: TextRows, gates: TextGates) -> FoundTexts:
    rows = np.flatnonzero(texts.has_text)
    sizes = np.log(texts.characters[rows].astype(np.float64))
    bound = upper_bound(sizes, deviations_for(len(sizes), _DEVIATIONS), math.log(gates.length_ratio))
    found = rows[sizes > bound]
    found = found[np.argsort(-texts.characters[found], kind="stable")]
    note = f"at most {math.exp(bound):,.0f} characters are usual" if math.isfinite(bound) else "too few to tell"
    if len(found):
        note += f"; the longest has {texts.characters[found[0]]:,}"
    return FoundTexts("long_texts", found, len(rows), gates.long, note)


def _of_another_language(texts: TextRows, expected: str, gates: TextGates) -> FoundTexts:
    """Find texts of another language; where no language is expected and none is that of most texts, there are none."""
    told = np.flatnonzero(texts.has_text & (texts.language > 0))
    counts = np.bincount(texts.language[told], minlength=len(language.CODES))
    usual = expected or (language.CODES[int(counts.argmax())] if len(told) else "")
    shares = ", ".join(
        f"{language.CODES[code]} {counts[code] / len(told):.1%}" for code in np.argsort(-counts)[:4] if counts[code]
    )
    kind = "texts_of_another_language"
    if usual not in language.CODES[1:]:
        return FoundTexts(
            kind,
            np.zeros(0, np.int64),
            len(told),
            gates.language,
            f"{usual or 'none'} is not among the known: {shares}",
        )
    code = language.CODES.index(usual)
    if not expected and counts[code] < _MOST_COMMON * len(told):
        return FoundTexts(
            kind, np.zeros(0, np.int64), len(told), gates.language, f"no language is that of most: {shares}"
        )
    scripts = np.array([language.script_of(each) for each in language.CODES])
    same_script = scripts[texts.language[told]] == scripts[code]
    telling = ~same_script | (texts.characters[told] >= _TELLING_CHARACTERS)
    examined = told[telling]
    found = examined[texts.language[examined] != code]
    return FoundTexts(kind, found, len(examined), gates.language, f"expected {usual}; found {shares}")


def _damaged(texts: TextRows, gates: TextGates) -> FoundTexts:
    rows = np.sort(np.concatenate([np.zeros(0, np.int64), *texts.damaged.values()]))
    kinds = sorted(texts.damaged.items(), key=lambda pair: -len(pair[1]))
    note = "; ".join(f"{len(found):,} {damage.DESCRIPTIONS[kind]}" for kind, found in kinds)
    return FoundTexts("damaged_texts", rows, _count(texts), gates.damaged, note)


def _copies(texts: TextRows, gates: TextGates) -> list[FoundTexts]:
    """Find texts that equal an earlier one, and others that nearly do: without case and punctuation, or by their group."""
    rows = np.flatnonzero(texts.has_text)
    first = _first_of_equal(texts.exact[rows])
    copies = rows[first != np.arange(len(rows))]
    originals = dict(zip(copies.tolist(), rows[first[first != np.arange(len(rows))]].tolist(), strict=True))
    found = [FoundTexts("duplicate_texts", copies, len(rows), gates.duplicates, "", originals)]
    if not texts.group.any():
        return found
    others = rows[first == np.arange(len(rows))]
    others = others[texts.words[others] != 0]
    near = _first_of_equal(texts.group[others])
    is_near = near != np.arange(len(others))
    originals = dict(zip(others[is_near].tolist(), others[near[is_near]].tolist(), strict=True))
    return [
        *found,
        FoundTexts("near_duplicate_texts", others[is_near], len(rows), gates.near_duplicates, "", originals),
    ]


def _in_two_splits(texts: TextRows, gates: TextGates) -> FoundTexts:
    has_words = np.flatnonzero(texts.has_text & (texts.words != 0))
    keys = texts.group[has_words] if texts.group.any() else texts.words[has_words]
    other = _first_with_other(keys, texts.split[has_words].astype(np.int32))
    held_out = texts.split[has_words] > 0
    rows = has_words[(other >= 0) & held_out]
    originals = dict(zip(rows.tolist(), has_words[other[(other >= 0) & held_out]].tolist(), strict=True))
    return FoundTexts("texts_in_two_splits", rows, int(held_out.sum()), gates.two_splits, "", originals)


def _with_two_labels(texts: TextRows, gates: TextGates) -> FoundTexts:
    """Find texts of equal words with another label; nearly equal ones may differ in the word that counts."""
    rows = np.flatnonzero(texts.has_text & (texts.words != 0) & (texts.label >= 0))
    other = _first_with_other(texts.words[rows], texts.label[rows])
    found = rows[other >= 0]
    originals = dict(zip(found.tolist(), rows[other[other >= 0]].tolist(), strict=True))
    return FoundTexts("texts_with_two_labels", found, len(rows), gates.two_labels, "", originals)


def _personal(texts: TextRows, gates: TextGates) -> FoundTexts:
    rows = np.unique(np.concatenate([np.zeros(0, np.int64), *texts.personal.values()]))
    note = ", ".join(f"{kind} in {len(found):,}" for kind, found in sorted(texts.personal.items()))
    return FoundTexts("personal_data", rows, _count(texts), gates.personal_data, note)


def _check_words(
    texts: TextRows, gates: TextGates, policy: dict[str, Severity], earlier: Vocabulary | None, name: str
) -> Check:
    """Check the new words: against the champion's vocabulary, and those of eval and test against train's."""
    parts: list[tuple[str, Unseen, float]] = [("eval and test", texts.held_out, texts.vocabulary.expected)]
    if earlier is not None and texts.against is not None:
        parts.append((f"the new texts, against {name}", texts.against, earlier.expected))
    judged = [(where, unseen, expected) for where, unseen, expected in parts if unseen.words >= _FEWEST_WORDS]
    title = f"unseen words: {texts.column}"
    if not judged:
        return Check(title, "skipped", reason=f"fewer than {_FEWEST_WORDS:,} words outside of training")
    where, unseen, expected = max(judged, key=lambda part: part[1].share - part[2])
    allowed = min(expected + gates.unseen_words, 1.0)
    what, remedy = _NOUNS["unseen_words"]
    message = f"{unseen.share:.1%} {what} in {where}; {expected:.1%} are expected of texts of the same kind"
    too_many = unseen.share > allowed
    status = to_status(policy["unseen_words"]) if too_many else "pass"
    reason = f"{message}: {remedy}" if too_many else message
    return Check(
        title, status, round(unseen.share, 6), round(allowed, 6), n=unseen.words, reason=_ignored(reason, status)
    )


def _check(found: FoundTexts, column: str, policy: dict[str, Severity]) -> Check:
    what, remedy = _NOUNS[found.kind]
    message = f"{len(found.rows):,} of {found.examined:,} texts {what}" + (f" ({found.note})" if found.note else "")
    too_many = found.share > found.allowed
    status = to_status(policy[found.kind]) if too_many else "pass"
    reason = f"{message}: {remedy}" if too_many else message
    title = f"{found.kind.replace('_', ' ')}: {column}"
    return Check(title, status, round(found.share, 6), found.allowed, n=found.examined, reason=_ignored(reason, status))


def _ignored(reason: str, status: str) -> str:
    return reason + (" (ignored by gates.data.anomalies)" if status == "skipped" else "")


def _first_of_equal(keys: NDArray[np.uint64]) -> Rows:
    """Return for each row the first row with an equal key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], np.int64)


def _first_with_other(keys: NDArray[np.uint64], values: NDArray[np.int32]) -> Rows:
    """Return for each row the first row with an equal key and another value; -1: there is none."""
    count = len(keys)
    first = _first_of_equal(keys)
    differs = values != values[first]
    found = np.where(differs, first, -1)
    # rows with the value of the first one: the first row of the key that differs from it
    second = np.full(count, count, np.int64)
    np.minimum.at(second, first[differs], np.flatnonzero(differs))
    rest = ~differs & (second[first] < count)
    found[rest] = second[first[rest]]
    return found
