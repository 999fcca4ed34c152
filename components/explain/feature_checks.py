"""What a person should look at: leaks, features that are not used, methods that disagree."""

from __future__ import annotations

import math
from typing import Any

from components._core.checks import Check, Outcome, judge, round_off
from components.explain.effects import FEWEST_ROWS, exclude_line, find_unneeded, rank_agreement
from components.explain.feature_findings import Findings
from components.explain.importance_shift import shift_as_json, shift_check
from components.explain.leaks import leak_check
from components.explain.rank_agreement import COMPARABLE, UNLIKE

COMPLETENESS = 0.1
"""Share of the way by which integrated gradients may miss it."""


def judge_findings(found: Findings, *, blocks: bool = False) -> Outcome:
    """What a person should look at.

    Args:
        found: What was found.
        blocks: Whether a feature that alone predicts the label blocks the model; otherwise nothing here does.
    """
    checks = [
        leak_check(found.power, found.share, found.rows, found.telling if blocks else {}),
        _unused(found),
        _effective(found),
        *_agree(found),
        *_structure(found),
        shift_check(found.shift, found.project.gates.model.importance_agreement),
        *_complete(found),
    ]
    top = next(iter(found.importances), "")
    strongest = (
        f"{top} matters most ({found.share[top]:.0%} of all importance)" if found.share else "no feature matters"
    )
    warned = [check.reason for check in checks if check.status == "warn"]
    gradients = found.gradients
    numbers = {
        **({} if gradients is None else {"completeness_error": gradients.completeness_error()}),
        **{_key(name): value for name, value in found.agreement.items()},
    }
    return judge(
        [check.rounded() for check in checks],
        "; ".join(warned) or strongest,
        {name: round_off(value) for name, value in numbers.items() if not math.isnan(value)},
    )


def as_json(found: Findings) -> dict[str, Any]:
    """What `importances.json` holds."""
    contribution = found.shapley.typical()
    unneeded = find_unneeded(found.effects)
    agreement = rank_agreement(found.importances, found.effects)
    return {
        "metric": found.project.primary_metric().name,
        "rows": found.rows,
        "unneeded": unneeded,
        "proposal": exclude_line(found.project.data.exclude, unneeded) if unneeded else "",
        "effect_agreement": None if math.isnan(agreement) else round_off(agreement),
        **_structure_as_json(found),
        **shift_as_json(found.shift),
        "features": {
            name: {
                "importance": round_off(item.drop),
                "low": round_off(item.low),
                "high": round_off(item.high),
                "alone": round_off(found.power[name]),
                "contribution": round_off(contribution[name]),
                "reaches_output": None if found.reached is None else name in found.reached,
                **_effect_as_json(found, name),
            }
            for name, item in found.importances.items()
        },
    }


def _structure_as_json(found: Findings) -> dict[str, Any]:
    if found.structure is None:
        return {}
    agreement, structure = found.structure_agreement, found.structure
    return {
        "structure": {
            "method": structure.method,
            "of": "features" if structure.raw else "transformed features",
            "agreement": None if math.isnan(agreement) else round_off(agreement),
            "values": {name: round_off(value) for name, value in structure.values.items()},
        }
    }


def _effect_as_json(found: Findings, name: str) -> dict[str, Any]:
    effect = found.effects.get(name)
    if effect is None:
        return {}
    return {
        "importance_by_chance": round_off(effect.limit),
        "loss_reduction": round_off(effect.reduction),
        "loss_reduction_low": round_off(effect.low),
        "effect": effect.answer,
    }


def _effective(found: Findings) -> Check:
    name, count = "effective features", len(found.effects)
    if not count:
        reason = f"not judged with fewer than {FEWEST_ROWS} test rows, or without a metric on them"
        return Check(name, "skipped", n=found.rows, reason=reason)
    same = sum(effect.answer != "disputed" for effect in found.effects.values())
    agreement = rank_agreement(found.importances, found.effects)
    correlation = "" if math.isnan(agreement) else f" (rank correlation {agreement:.2f})"
    unneeded = find_unneeded(found.effects)
    what = (
        f"neither finds that {', '.join(unneeded)} help{'s' if len(unneeded) == 1 else ''}"
        if unneeded
        else "none is unneeded by both"
    )
    reason = f"permutation and Shapley values of the loss agree on {same} of {count} features{correlation}; {what}"
    return Check(name, "pass", same / count, n=found.rows, reason=reason)


def _unused(found: Findings) -> Check:
    names, count = found.ignored, len(found.importances)
    if not names:
        return Check(
            "unused features", "pass", 0.0, n=found.rows, reason=f"the model uses each of its {count} features"
        )
    cut_off = [name for name in names if not found.reaches(name)]
    unused = [f"{', '.join(cut_off)}: nothing of it reaches the output"] if cut_off else []
    idle = [name for name in names if found.reaches(name)]
    unused += [f"{', '.join(idle)}: no prediction changes with it"] if idle else []
    reason = f"the model takes features that it does not use: {'; '.join(unused)}"
    return Check("unused features", "warn", float(len(names)), n=found.rows, reason=reason)


def _agree(found: Findings) -> list[Check]:
    checks = []
    for name, value in found.agreement.items():
        attribution = found.attributions[name]
        if len(attribution.values) < COMPARABLE or math.isnan(value):
            continue
        typical = attribution.typical()
        first = next(feature for feature in found.importances if feature in typical)
        agrees = value >= UNLIKE or typical[first] == max(typical.values())
        comparison = f"permutation importance and {name} {'agree' if agrees else 'order the features differently'}"
        reason = f"{comparison} (rank correlation {value:.2f})"
        checks.append(
            Check(f"agreement: {name}", "pass" if agrees else "warn", value, UNLIKE, n=found.rows, reason=reason)
        )
    return checks


def _structure(found: Findings) -> list[Check]:
    """How far the model's own structure agrees; it never warns, since gain also counts splits that only fit the training rows."""
    value = found.structure_agreement
    if found.structure is None or len(found.structure.values) < COMPARABLE or math.isnan(value):
        return []
    verdict = "agree" if value >= UNLIKE else "order the features differently"
    reason = f"permutation importance and the {found.structure.method} {verdict} (rank correlation {value:.2f})"
    return [Check("agreement: structure", "pass", value, n=found.rows, reason=reason)]


def _complete(found: Findings) -> list[Check]:
    if found.gradients is None or not found.gradients.values:
        return []
    error = found.gradients.completeness_error()
    good = error <= COMPLETENESS
    verdict = "add up to the difference of the scores" if good else "do not add up well: read them with care"
    reason = f"integrated gradients {verdict} (error {error:.1%})"
    return [
        Check(
            "completeness", "pass" if good else "warn", error, COMPLETENESS, n=len(found.gradients.moved), reason=reason
        )
    ]


def _key(name: str) -> str:
    return f"agreement_{name.lower().replace(' ', '_')}"
