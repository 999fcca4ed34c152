"""The label of an item by what several annotators say: a majority, or nothing yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from components._core.project.label_config import Labelling
from components._labels.annotations import Annotation

State = Literal["settled", "adjudicated", "tied", "waiting"]


@dataclass(frozen=True)
class Verdict:
    """What is known of one item.

    Attributes:
        item: The item's identity.
        state: `settled` (by majority), `adjudicated`, `tied` (an adjudicator must decide), `waiting` (for more annotators).
        label: The label; empty while there is none.
        votes: The label by annotator, without the adjudicators'.
        agreement: Share of the annotators who gave this label; None of a number.
        annotators: Who gave it its label, in order.
        time: When the last of these did; empty: unknown.
        tool: With what, of several separated by a comma.
    """

    item: str
    state: State
    label: str
    votes: dict[str, str]
    agreement: float | None
    annotators: tuple[str, ...]
    time: str
    tool: str

    @property
    def is_labelled(self) -> bool:
        """Whether the item has a label."""
        return self.state in ("settled", "adjudicated")


def judge_items(items: Mapping[str, Sequence[Annotation]], config: Labelling) -> dict[str, Verdict]:
    """Judge each item.

    Args:
        items: The annotations of each item, one of each annotator.
        config: How many annotators an item needs, and who may decide.
    """
    return {item: _judge(item, given, config) for item, given in items.items()}


def _judge(item: str, given: Sequence[Annotation], config: Labelling) -> Verdict:
    deciding = [each for each in given if each.annotator in config.adjudicators]
    voting = [each for each in given if each.annotator not in config.adjudicators]
    votes = {each.annotator: each.label for each in voting}
    if deciding:
        last = max(deciding, key=lambda each: (each.time, each.annotator))
        return _verdict(item, "adjudicated", last.label, votes, [*voting, last], config)
    if len(voting) < config.annotators_per_item:
        return _verdict(item, "waiting", "", votes, voting, config)
    label = _majority(votes, config)
    return _verdict(item, "settled" if label else "tied", label, votes, voting, config)


def _majority(votes: Mapping[str, str], config: Labelling) -> str:
    """Return the label with the most votes, of numbers the median; empty: two labels have as many."""
    if not config.classes:
        middle = median(float(value) for value in votes.values())
        return repr(int(middle)) if middle.is_integer() and abs(middle) < 2**53 else repr(middle)
    (label, most), *others = Counter(votes.values()).most_common(2)
    return "" if others and others[0][1] == most else label


def _verdict(
    item: str, state: State, label: str, votes: dict[str, str], given: Sequence[Annotation], config: Labelling
) -> Verdict:
    share = None
    if label and config.classes and votes:
        share = sum(value == label for value in votes.values()) / len(votes)
    times, tools = [each.time for each in given], sorted({each.tool for each in given if each.tool})
    names = tuple(sorted({each.annotator for each in given}))
    return Verdict(item, state, label, votes, share, names, max(times, default=""), ", ".join(tools))
