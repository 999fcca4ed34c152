"""What each feature is worth to the champion, on the rows on which explain measures it for the challenger."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from components._core.checks import round_off
from components._core.errors import ModelError
from components._core.project.project_file import Project
from components._core.types.tasks import TASKS
from components._frameworks.permutation import permutation_importance, repeats_for
from components._frameworks.sampled_rows import draw_sample
from components.evaluate.champion import Champion


def measure_champion(project: Project, champion: Champion | None, examples: Path) -> dict[str, Any] | None:
    """Measure the champion's permutation importance; None without a champion.

    Args:
        project: The project.
        champion: The champion; one that cannot be compared has no importance, and the reason.
        examples: The examples artifact; rows of its test split are used, drawn as explain draws them.

    Returns:
        The champion's name and number of rows, and by feature the mean loss in the primary metric with its least and greatest; without a
        model the name and the reason.
    """
    if champion is None:
        return None
    if champion.model is None:
        return {"champion": champion.name, "reason": champion.reason}
    model, seed = champion.model, project.train.seed
    task, repeats = TASKS[project.task].with_threshold(champion.threshold), repeats_for(len(model.signature.inputs))
    sample = draw_sample(model.signature, examples, project.label, seed, repeats)
    try:
        found = permutation_importance(task, project.primary_metric(), model, sample, seed, repeats)
    except ModelError as error:  # of values side by side that no row has
        return {"champion": champion.name, "reason": f"it fails on shuffled rows: {error.message}"}
    if not all(math.isfinite(item.drop) for item in found.values()):
        return {"champion": champion.name, "reason": "its importances are not defined on these rows"}
    return {
        "champion": champion.name,
        "rows": sample.rows,
        "features": {
            name: {"importance": round_off(item.drop), "low": round_off(item.low), "high": round_off(item.high)}
            for name, item in found.items()
        },
    }
