"""One `naru backtest` from end to end: find the run, train as of earlier spans, print the curve and what follows from it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from components._core.project.project_file import load_project
from components._frameworks.project_rules import check_framework
from pipelines.local.backtest import Backtest, backtest
from pipelines.local.trained_run import find_trained
from pipelines.local.workspace import find_workspace


def run_backtest(path: Path, *, models: int, window: int, margin: float | None, as_json: bool) -> None:
    """Measure what it costs that a model of the project gets older, and print the result.

    Args:
        path: The project's folder or file.
        models: How many models to train at most.
        window: How many spans each is trained on; 0: all before.
        margin: Loss that does not matter, in the metric's unit; None: 2 % of what fresh models gain over no model.
        as_json: Print one JSON object on standard output; the lines for people then go to standard error.

    Raises:
        NaruError: When there is no run to start from, it has too few spans, or training fails.
    """
    check_framework(load_project(path))
    workspace = find_workspace(path)
    trained = find_trained(workspace, explained=False)
    stream = sys.stderr if as_json else sys.stdout

    def say(line: str) -> None:
        print(line, file=stream, flush=True)

    trained_on = f"the {window} spans before" if window else "all spans before"
    say(f"naru backtest {shlex.quote(str(path))}  run {trained.run}, each model on {trained_on}")
    found = backtest(workspace, trained, models, window, margin, say)
    for line in result_lines(found):
        say(line)
    if as_json:
        print(json.dumps({"status": "succeeded", "exit_code": 0, **found.to_dict()}, sort_keys=True), flush=True)


def result_lines(found: Backtest) -> list[str]:
    """Describe the result: the loss by age, how often to retrain, and what drop is usual."""
    lines = [f"age  spans  {found.metric:<10} loss against the freshest model, 95 % interval"]
    for one in found.losses:
        interval = "" if one.interval is None else f"  {one.interval[0]:+.4f} to {one.interval[1]:+.4f}"
        loss = "" if one.age == 1 else f"{one.loss:+.4f}{interval}"
        lines.append(f"{one.age:<4} {one.spans:<6} {one.value:<10.4f} {loss}".rstrip())
    runs = f"{len(found.cutoffs)} run{'s' * (len(found.cutoffs) != 1)}"
    lines.append(f"Retrained after every span ({runs}): {found.metric} {found.retrained:.4f}")
    lines.append(f"Never retrained, on the same spans: {found.metric} {found.never:.4f}")
    lines += _schedule_lines(found)
    if found.drop is not None:
        lines.append(f"Fresh models drop by up to {found.drop:.4f} from their eval rows to the next span:")
        lines.append("  a performance trigger needs a larger drop than that.")
    return [*lines, "Nothing was registered or changed."]


def _schedule_lines(found: Backtest) -> list[str]:
    plan, margin = found.schedule, f"the margin of {found.margin:.4f}"
    if plan.oldest == 1:
        return [
            "Not decided how often to retrain: it needs three later spans of an age.",
            "  -> run the project over more spans, or train more models with --models",
        ]
    if plan.harmful == plan.safe + 1:
        every = "every span" if plan.safe == 1 else f"every {plan.safe} spans"
        return [f"Retrain after {every}: at age {plan.harmful} the loss is above {margin}."]
    if plan.safe == plan.oldest:
        return [
            f"Up to age {plan.safe} the loss is below {margin}:",
            f"  retraining after every {plan.safe} spans costs nothing that matters.",
        ]
    above = f", from age {plan.harmful} above it" if plan.harmful else ""
    return [f"The loss is below {margin} up to age {plan.safe}{above};", "  elsewhere the interval lies across it."]
