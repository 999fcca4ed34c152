"""Decide how a project uses each column of a table, and why; and how to train on its number of rows.

Nothing is read or written here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from components._core.project.column_config import ColumnReading
from components._core.project.split_config import Split
from components._core.types.identifier_columns import is_named_identifier, to_words
from components._core.types.leak_rules import SUSPECT
from pipelines.scaffold.choices import Choices
from pipelines.scaffold.column_meanings import Meaning
from pipelines.scaffold.date_columns import DateFormat, find_date_format
from pipelines.scaffold.group_column import Group
from pipelines.scaffold.label_choice import Target
from pipelines.scaffold.table_profile import Column, Profile

Role = Literal["label", "number", "category", "hashed", "text", "date", "picture", "left out"]

OFTEN_MISSING = 0.05
"""Share of missing values from which the model also gets a flag for a missing number."""
_NEAR_UNIQUE = 0.95
_FEWEST_TO_IDENTIFY = 20
_FEW_ROWS = 200
_FEW_OF_A_CLASS = 30
_MOST_VOCABULARIES = 50
_LARGEST_VOCABULARY = 200
_CODES = {"id", "code", "zip", "zipcode", "postcode", "fips", "type", "class", "category", "group", "cluster"}
_BATCHES = ((8, 500), (16, 2_000), (32, 10_000), (128, 50_000), (512, 500_000), (1_024, math.inf))
_ENOUGH_STEPS = 1_000
_MOST_EPOCHS = 40
# learning rate, hidden units, dropout; by rows below which they fit: few rows make few steps, which have to be larger
_MODELS = (((0.01, 32, 0.2), 1_000), ((0.003, 64, 0.1), 10_000), ((0.001, 64, 0.1), math.inf))


@dataclass(frozen=True)
class Decision:
    """The decision on one column.

    Attributes:
        column: The column.
        role: Its role in the model.
        reason: The reason, in a few words, shown in the project file and the terminal.
        suspect: Whether the user should check it: it may identify rows or leak the label.
        format: Its date format; only for dates.
        reading: Its entry in `data.columns`; None: its cells are read as they look.
        remark: What is special about its cells, such as their unit; empty: nothing.
        findings: What the user should look at in its cells, one sentence each.
        identifies: Whether it identifies rows.
    """

    column: Column
    role: Role
    reason: str
    suspect: bool = False
    format: DateFormat | None = None
    reading: ColumnReading | None = None
    remark: str = ""
    findings: tuple[str, ...] = ()
    identifies: bool = False

    @property
    def kind(self) -> str:
        """What the column is: a number, category, date, text, picture or identifier."""
        if self.identifies:
            return "identifier"
        if self.role in ("number", "date", "text", "picture"):
            return self.role
        if self.role in ("category", "hashed") or self.column.type.is_text:
            return "date" if self.role == "left out" and find_date_format(self.column.values) else "category"
        return "number"


@dataclass(frozen=True)
class Fitting:
    """The training settings for a number of rows.

    Attributes:
        split: Shares of train, eval and test.
        epochs: Maximum number of passes over the training rows.
        batch_size: Rows per step.
        patience: Epochs without a better eval loss before it stops.
        learning_rate: Learning rate of Adam.
        units: Size of the first hidden layer.
        dropout: Share of hidden units left out in each step.
    """

    split: Split
    epochs: int
    batch_size: int
    patience: int
    learning_rate: float
    units: int
    dropout: float


def decide_columns(
    profile: Profile,
    label: str,
    scores: dict[str, float],
    group: Group | None = None,
    meanings: dict[str, Meaning] | None = None,
    derived: dict[str, str] | None = None,
    choices: Choices | None = None,
) -> list[Decision]:
    """Decide the role of each column, in the table's order.

    Args:
        profile: The table's profile.
        label: The column to predict.
        scores: How well each column alone predicts it, from `leak_suspects.score_columns`.
        group: The column by which rows belong together, if there is one.
        meanings: What the cells of the columns mean.
        derived: Why some columns seem to be made from the label or it from them, from `leak_suspects.find_derived`.
        choices: What the user says on the command line.
    """
    choices, meanings = choices or Choices(), meanings or {}
    decided = []
    for name, column in profile.columns.items():
        facts = _Facts(
            label, scores.get(name, 0.0), (derived or {}).get(name, ""), meanings.get(name, Meaning()).remark
        )
        decision = (
            _decide_chosen(column, label, choices) or _decide_group(column, group) or _decide_column(column, facts)
        )
        decided.append(decision)
    categories = [decision for decision in decided if decision.role == "category"]
    if len(categories) > _MOST_VOCABULARIES:
        # a vocabulary is a pass over the column and a table in the graph: hundreds of them are slow, one hash is not
        decided = [_decide_hashed(decision) if decision.role == "category" else decision for decision in decided]
    return [_with_meaning(decision, meanings.get(decision.column.name, Meaning())) for decision in decided]


@dataclass(frozen=True)
class _Facts:
    """What a rule knows besides the column: the label's name, the column's score, why it is derived, what its cells are."""

    label: str
    score: float
    derived: str
    remark: str


def _with_meaning(decision: Decision, meaning: Meaning) -> Decision:
    """Add how the cells are read; the type of an identifier or of free text says so."""
    reading = meaning.reading
    named = {"identifier": "identifier", "text": "text"}.get(decision.kind)
    if reading is not None and reading.type == "category" and named:
        reading = reading.model_copy(update={"type": named})
    return replace(decision, reading=reading, remark=meaning.remark, findings=meaning.findings)


def _decide_chosen(column: Column, label: str, choices: Choices) -> Decision | None:
    if column.name in choices.ids:
        return Decision(column, "left out", "an identifier, as --id says", identifies=True)
    if column.name in choices.drop:
        return Decision(column, "left out", "as --drop says")
    return None


def _decide_group(column: Column, group: Group | None) -> Decision | None:
    if group is None or column.name != group.column:
        return None
    reason = f"groups the rows: {group.groups:,} values, {group.rows:.1f} rows each"
    return Decision(column, "left out", reason, identifies=True)


def _decide_column(column: Column, facts: _Facts) -> Decision:
    if column.name == facts.label:
        return Decision(column, "label", "what is predicted")
    for rule in (_decide_empty, _decide_leak, _decide_identifier, _decide_date, _decide_number, _decide_text):
        if decision := rule(column, facts):
            return decision
    return _decide_category(column, facts)


def _decide_empty(column: Column, facts: _Facts) -> Decision | None:
    if column.missing == column.rows:
        return Decision(column, "left out", "it has no values")
    if column.distinct == 1 and not column.missing:
        return Decision(column, "left out", f"always {_quote(column.values[0])}")
    return None


def _decide_leak(column: Column, facts: _Facts) -> Decision | None:
    label = facts.label
    if facts.derived and (column.missing or facts.score <= SUSPECT):
        return Decision(column, "left out", facts.derived, suspect=True)
    if facts.score > SUSPECT:
        reason = f"gives the label away: it alone predicts {facts.score:.1%} of it"
        return Decision(column, "left out", reason, suspect=True)
    if len(label) > 2 and f" {to_words(label)} " in f" {to_words(column.name)} ":
        return Decision(column, "left out", "its name contains the label's: it may be computed from it", suspect=True)
    return None


def _decide_identifier(column: Column, facts: _Facts) -> Decision | None:
    if column.rows - column.missing < _FEWEST_TO_IDENTIFY or column.type.is_real:
        return None
    named = is_named_identifier(column.name)
    if column.type.is_whole:
        span = (column.maximum or 0) - (column.minimum or 0) + 1
        counts_rows = column.distinct_share > 0.99 and span <= 1.2 * (column.rows + 1)
        if counts_rows or (named and column.distinct_share > 0.2):
            message = "it numbers the rows" if counts_rows else ""
            return Decision(column, "left out", _identifier_reason(column, message), suspect=True, identifies=True)
        return None
    if find_date_format(column.values) or (_is_prose(column) and not named):
        return None
    if column.distinct_share > _NEAR_UNIQUE or (named and column.distinct_share > 0.2):
        return Decision(column, "left out", _identifier_reason(column, ""), suspect=True, identifies=True)
    return None


def _identifier_reason(column: Column, finding: str) -> str:
    known = column.rows - column.missing
    return (
        f"looks like an identifier: {finding or f'{min(column.distinct, known):,} different values in {known:,} rows'}"
    )


def _is_prose(column: Column) -> bool:
    return column.words >= 5 or column.length >= 40


def _decide_date(column: Column, facts: _Facts) -> Decision | None:
    form = find_date_format(column.values) if column.type.is_text else None
    if form is None:
        return None
    parts = "year, month, day, weekday" + (", hour" if form.has_clock else "")
    return Decision(column, "date", f"{facts.remark or 'YYYY-MM-DD'}: {parts}", format=form)


def _decide_number(column: Column, facts: _Facts) -> Decision | None:
    if column.type.is_text:
        return None
    if column.type.is_whole and set(to_words(column.name).split()) & _CODES and column.distinct > 2:
        message = "whole numbers, but named as a code"
        return Decision(column, "category" if column.distinct <= _LARGEST_VOCABULARY else "hashed", message)
    parts = [facts.remark] if facts.remark else []
    parts.append("logarithm (a few are very large), z-score" if is_long_tailed(column) else "z-score")
    if column.missing:
        parts.append("the mean where missing")
    if column.missing_share >= OFTEN_MISSING:
        parts.append("and whether it is")
    return Decision(column, "number", ", ".join(parts))


def is_long_tailed(column: Column) -> bool:
    """Whether a number is never negative and a few values are very large: its logarithm is easier to learn from."""
    return column.minimum is not None and column.minimum >= 0 and column.skewness > 3 and column.distinct > 2


def _decide_text(column: Column, facts: _Facts) -> Decision | None:
    many = column.distinct > _LARGEST_VOCABULARY or column.distinct_share > 0.3
    if (_is_prose(column) and column.distinct > 20) or (column.words >= 2 and many and column.distinct > 50):
        return Decision(column, "text", f"text of {column.words:.0f} words on average: which words occur")
    return None


def _decide_category(column: Column, facts: _Facts) -> Decision:
    missing = ", missing is one of them" if column.missing else ""
    missing += f"; {facts.remark}" if facts.remark else ""
    if column.distinct > _LARGEST_VOCABULARY:
        message = f"{column.distinct:,} different values, too many for a table: hashed{missing}"
        return Decision(column, "hashed", message)
    return Decision(column, "category", f"{column.distinct} different values: embedding{missing}")


def _decide_hashed(decision: Decision) -> Decision:
    message = f"{decision.column.distinct} different values, one of very many categories: hashed"
    return Decision(decision.column, "hashed", message)


def decide_fitting(rows: int) -> Fitting:
    """Choose the training settings: the smaller the table, the larger the eval and test shares and the more passes."""
    split = _split_shares(rows)
    batch = next(size for size, most in _BATCHES if rows < most)
    steps = max(round(rows * split.train / batch), 1)
    epochs = min(max(math.ceil(_ENOUGH_STEPS / steps), 6), _MOST_EPOCHS)
    rate, units, dropout = next(chosen for chosen, most in _MODELS if rows < most)
    return Fitting(split, epochs, batch, max(epochs // 5, 2), rate, units, dropout)


def _split_shares(rows: int) -> Split:
    if rows < 1_000:
        return Split(train=0.6, eval=0.2, test=0.2)
    return Split(train=0.7, eval=0.15, test=0.15) if rows < 10_000 else Split()


def quarantine_limit(profile: Profile) -> float:
    """Compute the share of rows that the project must allow to be set aside, a percentage point above the table's current share."""
    aside = profile.unlabelled + profile.unreadable
    return min(math.ceil(100 * aside / (aside + profile.rows) + 1) / 100, 0.99) if aside else 0.0


def collect_notes(
    profile: Profile, target: Target, decisions: list[Decision], group: Group | None = None, by_time: str = ""
) -> list[str]:
    """Collect notes for the user beyond the columns, one sentence each."""
    return [*_row_notes(profile), *_group_notes(group), *_class_notes(target), *_column_notes(decisions, by_time)]


def _group_notes(group: Group | None) -> Iterator[str]:
    if group is not None and group.agreeing:
        agreeing = ", ".join(map(_quote, group.agreeing[:3])) + (", ..." if len(group.agreeing) > 3 else "")
        message = f"rows with the same {_quote(group.column)} agree in {agreeing}, so they are kept in one split"
        yield f"{message} (data.split.by); take it out of project.yaml if they do not belong together"


def _row_notes(profile: Profile) -> Iterator[str]:
    if profile.is_partial:
        rows = profile.rows + profile.unlabelled + profile.unreadable
        yield f"the project was made from {rows:,} rows; the table has more, and a run reads them all"
    aside = "each run sets them aside (data.quarantine_limit allows it)"
    if profile.unlabelled:
        share = profile.unlabelled / (profile.unlabelled + profile.rows + profile.unreadable)
        yield f"{profile.unlabelled:,} rows ({share:.1%}) have no label: {aside}"
    if profile.unreadable:
        yield f"{profile.unreadable:,} rows cannot be read, such as {profile.first_unreadable}: {aside}"
    if profile.rows < _FEW_ROWS:
        yield f"{profile.rows} rows are few: metrics will swing with the split; more rows help more than a better model"


def _class_notes(target: Target) -> Iterator[str]:
    rare = [name for name, count in target.classes.items() if count < _FEW_OF_A_CLASS]
    if rare:
        name, count = rare[-1], target.classes[rare[-1]]
        more = f" ({len(rare)} classes have fewer than {_FEW_OF_A_CLASS})" if len(rare) > 1 else ""
        rows = "1 row has" if count == 1 else f"{count} rows have"
        yield f"only {rows} the label {_quote(name)}{more}: metrics of so few rows mean little"


def _column_notes(decisions: list[Decision], by_time: str) -> Iterator[str]:
    for decision in decisions:
        column = decision.column
        if decision.suspect and is_named_identifier(column.name) and 0.2 < column.distinct_share <= _NEAR_UNIQUE:
            yield f"{_quote(column.name)} repeats: if its rows belong together, keep them in one split (data.split.by)"
    if by_time:
        yield f"rows are split by time: the newest by {_quote(by_time)} are the test"
    elif date := next((decision for decision in decisions if decision.role == "date"), None):
        yield f"rows are split at random: to forecast, split by time (--time {_quote(date.column.name)})"


def _quote(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:39] + "…")
