"""The check of the annotators' agreement against `labels.min_alpha`: of validate on a dataset, and of `naru label agree` on all labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components._core.checks import Check
from components._core.examples.label_origin import LabelOrigin
from components._core.project.label_config import Labelling

NAME = "label agreement"


def check_origin(origin: LabelOrigin | None, config: Labelling | None) -> list[Check]:
    """Check the agreement behind a dataset's labels; no check where the project sets no bound.

    Args:
        origin: Origin of the labels; None: the dataset's files have none.
        config: The section `labels`; None: the project has none.
    """
    if config is None or config.min_alpha is None:
        return []
    if origin is None:
        reason = "the files of the dataset do not say how far their annotators agreed: train on the spans that naru label import writes"
        return [Check(NAME, "no_baseline", threshold=config.min_alpha, reason=reason)]
    return [judge_agreement(origin.agreement, config)]


def judge_agreement(agreement: Mapping[str, Any], config: Labelling) -> Check:
    """Hold Krippendorff's alpha against `labels.min_alpha`.

    Args:
        agreement: With `alpha`, `low`, `high` and `items`, as `LabelOrigin.agreement`.
        config: The section `labels`.
    """
    items, alpha, bound = int(agreement.get("items") or 0), agreement.get("alpha"), config.min_alpha
    if items < config.min_items:
        needed = f"{config.min_items} are needed (labels.min_items)"
        reason = f"two annotators have seen {items:,} items; {needed}"
        return Check(NAME, "no_baseline", threshold=bound, n=items, reason=reason)
    if alpha is None:
        reason = f"alpha is undefined: all annotations of {items:,} items are the same label"
        return Check(NAME, "no_baseline", threshold=bound, n=items, reason=reason)
    low, high = agreement.get("low"), agreement.get("high")
    interval = f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else ""
    found = f"Krippendorff's alpha {alpha:.3f}{interval} on {items:,} items"
    if bound is None:
        return Check(NAME, "skipped", float(alpha), n=items, reason=f"{found}; labels.min_alpha is not set")
    fits = alpha >= bound
    reason = found if fits else f"{found} is below labels.min_alpha, {bound:g}: the question or the classes are unclear"
    return Check(NAME, "pass" if fits else "fail", float(alpha), bound, n=items, reason=reason)
