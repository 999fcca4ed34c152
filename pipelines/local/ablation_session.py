"""One `naru ablate` from end to end: find the run, train, print the result."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from pathlib import Path

from components._core.errors import ConfigError
from components._core.project.project_file import load_project
from components._frameworks.project_rules import check_framework
from pipelines.local.ablation import Ablation, ablate, choose_columns
from pipelines.local.trained_run import find_trained
from pipelines.local.workspace import find_workspace


def run_ablation(
    path: Path, without: list[str], proposed: int | None, *, seeds: int, margin: float | None, as_json: bool
) -> None:
    """Compare a model that is trained without some columns with the one of the newest run, and print the result.

    Args:
        path: The project's folder or file.
        without: Columns to leave out, each entry one or several with commas between them; empty: the proposed ones.
        proposed: How many of the proposed ones; None: all.
        seeds: How many models to train of each.
        margin: Loss that does not matter, in the metric's unit; None: 2 % of what the model gains over no model.
        as_json: Print one JSON object on standard output; the lines for people then go to standard error.

    Raises:
        NaruError: When there is no run to start from, a column is unknown, or training fails.
    """
    if not (framework := check_framework(load_project(path))).has_fit:
        message = f"models of {framework.name!r} are not trained here, so none can be trained without some columns"
        raise ConfigError(
            message, where="code.framework", remedy="the explanation says how much the model goes by each column"
        )
    workspace = find_workspace(path)
    trained = find_trained(workspace, explained=not without)
    columns = choose_columns(trained, split_names(without, trained.features), proposed)
    stream = sys.stderr if as_json else sys.stdout

    def say(line: str) -> None:
        print(line, file=stream, flush=True)

    say(f"naru ablate {shlex.quote(str(path))}  run {trained.run}, without {', '.join(columns)}")
    found = ablate(workspace, trained, columns, seeds, margin, say)
    for line in result_lines(found):
        say(line)
    if as_json:
        print(json.dumps({"status": "succeeded", "exit_code": 0, **found.to_dict()}, sort_keys=True), flush=True)


def split_names(given: list[str], features: list[str]) -> list[str]:
    """Split names at commas, as `--drop` of `naru new` does; a feature whose name has a comma is kept whole.

    Raises:
        ConfigError: When no name is given.
    """
    names: list[str] = []
    for entry in given:
        parts = [entry] if entry in features else next(csv.reader([entry], skipinitialspace=True), [])
        names += [part.strip() for part in parts if part.strip()]
    if given and not names:
        raise ConfigError("names no column", where="--without", remedy="write names with commas, as in --without a,b")
    return names


def result_lines(found: Ablation) -> list[str]:
    """Describe the result: the verdict, the loss with its interval, the margin, and what to write where nothing is lost."""
    result = found.comparison
    low, high = result.interval
    verdict = {"as good": "As good", "worse": "Worse", "undecided": "Not decided"}[result.verdict]
    against = {"as good": "below", "worse": "above", "undecided": "across"}[result.verdict]
    seeds = f"{len(found.seeds)} {'seed' if len(found.seeds) == 1 else 'seeds'}"
    lines = [
        f"{verdict} without {', '.join(found.without)}: the loss in {found.metric} is {-result.gain:.4f},",
        f"  95 % interval {-high:.4f} to {-low:.4f}, {against} the margin of {result.margin:.4f}",
        f"  ({result.rows:,} test rows, {seeds}; nothing was registered or changed)",
    ]
    if result.verdict == "undecided":
        lines.append("  -> more seeds or more test rows narrow the interval, as with --seeds 20")
    if result.verdict == "as good":
        lines.append("To leave them out, take them out of the code, and write under data in project.yaml:")
        lines.append(f"  {found.proposal}")
    return lines
