"""What was found about the features, before it is judged and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components._core.project.project_file import Project
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Model, StructureImportance
from components._frameworks.permutation import Importance, permutation_importance, repeats_for, shares
from components._frameworks.sampled_rows import Array, Arrays, Sample, draw_sample, take, typical_row
from components.explain.attribution import Attribution, chosen_classes, explained_score
from components.explain.dependence import Dependence, partial_dependence
from components.explain.divided_values import explain_values
from components.explain.effects import FEWEST_ROWS as EFFECT_ROWS
from components.explain.effects import Effect, find_effects
from components.explain.gradients import integrated_gradients
from components.explain.importance_shift import ImportanceShift
from components.explain.leaks import ENOUGH_ROWS, find_telling, powers, rank_correlation
from components.explain.loss_shapley import loss_reductions
from components.explain.rank_agreement import COMPARED
from components.explain.shapley import shapley_values
from components.explain.value_parts import ValueParts

_ATTRIBUTED_ROWS = 200
_CELLS = 4_000_000
"""Values that an attribution may hand to the model for each step; a very wide table gets fewer rows."""
_SHOWN = 3


@dataclass(frozen=True)
class ExplainedRow:
    """One row and what moved its score.

    Attributes:
        title: Why this row was chosen.
        score: The model's answer.
        start: The answer for the typical row.
        values: The row's own value by feature.
        parts: What each feature added to the score.
        inside: What the words of its texts and the areas of its pictures added, for those that it has.
    """

    title: str
    score: float
    start: float
    values: dict[str, Any]
    parts: dict[str, float]
    inside: tuple[ValueParts, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        project: The project.
        signature: The model's border.
        rows: Rows of the sample.
        total: Rows of the split.
        repeats: How often each feature was permuted.
        importances: Permutation importance by feature, most important first.
        share: Share of all importance by feature; empty when nothing matters.
        power: How well each feature alone predicts the label, 0 to 1.
        telling: The same for the features that alone predict the whole label; others are not in it.
        reached: Features from which the model's structure reaches an output; None: its framework does not show that.
        gradients: Integrated gradients of the numeric features; None: the model's framework has no gradients.
        shapley: Shapley values of all features.
        agreement: Rank correlation of permutation importance with each attribution, over the most important features.
        dependence: Partial dependence of the most important features.
        dependent_class: For many classes, the class whose probability that is.
        examples: A few rows, explained.
        effects: Whether each feature helps, by two methods; empty: there are too few rows to say.
        structure: What the model's own structure goes by, such as the gain of its trees; None: it does not say.
        shift: The importances beside the champion's; None: there is no champion.
    """

    project: Project
    signature: Signature
    rows: int
    total: int
    repeats: int
    importances: dict[str, Importance]
    share: dict[str, float]
    power: dict[str, float]
    telling: dict[str, float]
    reached: frozenset[str] | None
    gradients: Attribution | None
    shapley: Attribution
    agreement: dict[str, float]
    dependence: dict[str, Dependence]
    dependent_class: str
    examples: list[ExplainedRow]
    effects: dict[str, Effect] = field(default_factory=dict)
    structure: StructureImportance | None = None
    shift: ImportanceShift | None = None

    @property
    def structure_agreement(self) -> float:
        """Rank correlation of permutation importance with the structure; NaN where it does not speak of the features."""
        if self.structure is None or not self.structure.raw:
            return float("nan")
        return _compare(self.importances, self.structure.values)

    @property
    def ignored(self) -> list[str]:
        """Features that the model takes and does not use: they reach no output, or no prediction ever changed."""
        return [name for name, found in self.importances.items() if not self.reaches(name) or not found.changes]

    @property
    def attributions(self) -> dict[str, Attribution]:
        """The attributions that the model allows, by the name of their method."""
        return _by_method(self.shapley, self.gradients)

    def reaches(self, feature: str) -> bool:
        """Whether a feature reaches an output, as far as the model's structure is known."""
        return self.reached is None or feature in self.reached


def find(project: Project, model: Model, examples: Path, threshold: float | None = None) -> Findings:
    """Look at the features of a model from every side.

    Args:
        project: The project.
        model: The model, loaded.
        examples: The examples artifact.
        threshold: The model's own threshold; None: the task's.
    """
    task, signature, seed = TASKS[project.task].with_threshold(threshold), model.signature, project.train.seed
    repeats = repeats_for(len(signature.inputs))
    sample = draw_sample(signature, examples, project.label, seed, repeats)
    is_enough = sample.rows >= ENOUGH_ROWS
    alone = sample if is_enough else draw_sample(signature, examples, project.label, seed, repeats, "train")
    power = powers(task, alone)
    found = permutation_importance(task, project.primary_metric(), model, sample, seed, repeats)
    importances = dict(sorted(found.items(), key=lambda item: (-item[1].drop, item[0])))
    few = take(sample.arrays, _spread(sample.rows, _attributed_rows(len(signature.inputs))))
    baseline, classes = typical_row(signature, sample.arrays), chosen_classes(model, few)
    gradients = integrated_gradients(model, few, baseline, classes)
    shapley = shapley_values(model, few, baseline, classes, seed)
    reductions = loss_reductions(task, model, sample, seed) if sample.rows >= EFFECT_ROWS else {}
    most_frequent = int(np.bincount(sample.labels).argmax()) if classes is not None else None
    return Findings(
        project,
        signature,
        sample.rows,
        sample.total,
        repeats,
        importances,
        shares(importances),
        power,
        find_telling(task, alone, power),
        model.connected_inputs(),
        gradients,
        shapley,
        _agreement(importances, _by_method(shapley, gradients)),
        {
            top: partial_dependence(model, sample.arrays, top, most_frequent)
            for top in _dependent(signature, importances)
        },
        "" if most_frequent is None else signature.classes[most_frequent],
        _explain_rows(model, sample, baseline, seed),
        find_effects(importances, reductions, sample.rows, repeats),
        model.structure_importance(),
    )


def _dependent(signature: Signature, importances: dict[str, Importance]) -> list[str]:
    """Return the features whose dependence is shown: no picture and no text, of which each row has another."""
    plain = {feature.name for feature in signature.inputs if not feature.content}
    return [name for name in importances if name in plain][:_SHOWN]


def _by_method(shapley: Attribution, gradients: Attribution | None) -> dict[str, Attribution]:
    return {"Shapley values": shapley, **({} if gradients is None else {"integrated gradients": gradients})}


def _attributed_rows(width: int) -> int:
    return max(10, min(_ATTRIBUTED_ROWS, _CELLS // (width * width)))


def _spread(rows: int, wanted: int) -> Array:
    return np.unique(np.linspace(0, rows - 1, min(rows, wanted)).astype(np.int64))


def _agreement(importances: dict[str, Importance], others: dict[str, Attribution]) -> dict[str, float]:
    return {method: _compare(importances, other.typical()) for method, other in others.items()}


def _compare(importances: dict[str, Importance], other: dict[str, float]) -> float:
    compared = [feature for feature in importances if feature in other][:COMPARED]
    ours, theirs = [importances[name].drop for name in compared], [other[name] for name in compared]
    return rank_correlation(np.array(ours), np.array(theirs))


def _explain_rows(model: Model, sample: Sample, baseline: Arrays, seed: int) -> list[ExplainedRow]:
    classes = chosen_classes(model, sample.arrays)
    scores = explained_score(model, sample.arrays, classes)
    chosen = _chosen(model.signature, sample, scores)
    arrays = take(sample.arrays, np.array(list(chosen.values())))
    of = None if classes is None else classes[list(chosen.values())]
    found = shapley_values(model, arrays, baseline, of, seed)
    rows = []
    for place, (title, row) in enumerate(chosen.items()):
        row_name = title if of is None else f"{title} ({model.signature.classes[int(of[place])]})"
        values = {
            name: column[place].item() if hasattr(column[place], "item") else column[place]
            for name, column in arrays.items()
        }
        parts = {name: float(column[place]) for name, column in found.values.items()}
        score = float(scores[row])
        inside = explain_values(model, take(arrays, np.array([place])), None if of is None else int(of[place]), seed)
        rows.append(ExplainedRow(row_name, score, score - float(found.moved[place]), values, parts, tuple(inside)))
    return rows


def _chosen(signature: Signature, sample: Sample, scores: Array) -> dict[str, int]:
    """The rows worth a look, by why; each row once."""
    wanted = {"highest score": int(scores.argmax()), "lowest score": int(scores.argmin())}
    if TASKS[signature.task].has_classes:
        wanted["most uncertain score"] = int(np.abs(scores - 0.5).argmin())
    else:
        wanted["largest error"] = int(np.abs(sample.labels - scores).argmax())
    return {
        title: row for title, row in wanted.items() if list(wanted.values()).index(row) == list(wanted).index(title)
    }
