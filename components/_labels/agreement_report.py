"""The agreement of a project's annotators: what `naru label agree` shows, and what a labelled dataset records of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from components._core.checks import Check, finite_or_none
from components._core.examples.label_agreement import judge_agreement
from components._labels.agreement import Estimate, measure_alpha, measure_cohen, measure_fleiss, measure_percent
from components._labels.consensus import State, Verdict
from components._labels.disagreement import AnnotatorRecord, ConfusedPair, compare_annotators, find_confused
from components._labels.label_schema import LabelSchema
from components._labels.labelled_items import LabelledItems
from components._labels.pool_estimates import PoolEstimate


@dataclass(frozen=True)
class AgreementReport:
    """How far the annotators agree.

    Attributes:
        schema: The label schema.
        states: Number of items by state.
        annotations: Number of annotations.
        percent: Share of agreeing pairs.
        fleiss: Fleiss' kappa; None for numbers.
        alpha: Krippendorff's alpha.
        cohen: Cohen's kappa by pair of annotators; empty for numbers.
        confused: Pairs of labels that are confused, the most frequent first; empty for numbers.
        annotators: Each annotator against the others.
        ties: Items on which an adjudicator must decide.
        check: Alpha against `labels.min_alpha`.
        estimates: What the newest selected work list says of all rows that it was selected from.
    """

    schema: LabelSchema
    states: Counter[State]
    annotations: int
    percent: Estimate
    fleiss: Estimate | None
    alpha: Estimate
    cohen: dict[tuple[str, str], Estimate]
    confused: list[ConfusedPair]
    annotators: list[AnnotatorRecord]
    ties: list[Verdict]
    check: Check
    estimates: list[PoolEstimate] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        found = {
            "project": self.schema.project,
            "schema": self.schema.config.version,
            "items": {state: self.states[state] for state in ("settled", "adjudicated", "tied", "waiting")},
            "annotations": self.annotations,
            "level": self.schema.config.level,
            "percent": asdict(self.percent),
            "fleiss": asdict(self.fleiss) if self.fleiss else None,
            "alpha": asdict(self.alpha),
            "cohen": [{"annotators": list(pair), **asdict(kappa)} for pair, kappa in self.cohen.items()],
            "confused": [asdict(pair) for pair in self.confused],
            "annotators": [{**asdict(each), "share": each.share} for each in self.annotators],
            "adjudicate": [{"item": each.item, "votes": each.votes} for each in self.ties],
            "estimates": [asdict(each) for each in self.estimates],
            "check": asdict(self.check.rounded()),
        }
        return dict(finite_or_none(found))


def measure_agreement(items: LabelledItems, schema: LabelSchema) -> AgreementReport:
    """Measure how far the annotators of a project agree.

    Args:
        items: What they have labelled.
        schema: The label schema.
    """
    votes, config = items.votes(schema), schema.config
    has_classes = bool(config.classes)
    alpha = measure_alpha(votes, config.level)
    return AgreementReport(
        schema=schema,
        states=Counter(verdict.state for verdict in items.verdicts.values()),
        annotations=sum(map(len, items.annotations.values())),
        percent=measure_percent(votes),
        fleiss=measure_fleiss(votes) if has_classes else None,
        alpha=alpha,
        cohen=measure_cohen(votes) if has_classes else {},
        confused=find_confused(votes) if has_classes else [],
        annotators=compare_annotators(votes),
        ties=sorted((each for each in items.verdicts.values() if each.state == "tied"), key=lambda each: each.item),
        check=judge_agreement(summarise(alpha, measure_percent(votes), config.level), config),
    )


def summarise(alpha: Estimate, percent: Estimate, level: str) -> dict[str, Any]:
    """Return what a labelled dataset records of the agreement."""
    return {
        "alpha": alpha.value,
        "low": alpha.low,
        "high": alpha.high,
        "level": level,
        "items": alpha.items,
        "percent": percent.value,
    }
