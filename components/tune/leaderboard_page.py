"""The page of a search over kinds of model: the leaderboard, the choice, and every trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

from components._core.checks import Outcome
from components._core.report.number_format import four_digits
from components._core.report.page import Cell, Page
from components._core.report.plots import lines
from components.tune.candidates import Values
from components.tune.kind_search import Attempt, Search
from components.tune.leaderboard import CONSTANT, Entry, Leaderboard


def page_of(search: Search, chosen: Attempt, board: Leaderboard, outcome: Outcome, values: Values) -> Page:
    """Make the page of one search."""
    page = Page("tune", "Models", outcome)
    page.facts(
        {
            "chosen": board.chosen,
            board.metric: four_digits(chosen.value),
            "trials": len(search.attempts),
            "judged by": board.judged_by,
        }
    )
    if board.why:
        page.text(f"{board.why[0].upper()}{board.why[1:]} (tune.prefer: simple).")
    if board.metric_reason:
        page.text(f"Judged by {board.metric}: {board.metric_reason}. gates.model.metric names another.")
    if board.out_of_time:
        page.text(
            "tune.minutes ended the search, so another machine may get further. With tune.trials alone each run tries the same."
        )
    page.table(
        "Leaderboard",
        ["kind", "model", board.metric, "loss", "gain of the chosen one", "95 % from", "to", "trials"],
        [_row(entry, board) for entry in board.entries],
        f"The best of each kind on {board.judged_by}. Gains: paired bootstrap of these rows; above 0 the chosen model is better. "
        "These rows chose the values, too: evaluate judges the model on others.",
    )
    page.figure(
        "Search", lines(_curves(search), "trial", board.metric), "the known good values of each kind come first"
    )
    page.table("Chosen values", ["name", "value"], [[name, value] for name, value in values.items()])
    page.table(
        "Trials",
        ["trial", "kind", "values from", "state", board.metric, "values"],
        [_trial(attempt) for attempt in search.attempts],
        folded=True,
    )
    return page


def _curves(search: Search) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for attempt in search.attempts:
        numbers, values = curves.setdefault(attempt.candidate.kind, ([], []))
        if math.isfinite(attempt.value):
            numbers.append(float(attempt.number))
            values.append(attempt.value)
    return {**curves}


def _row(entry: Entry, board: Leaderboard) -> list[Cell]:
    is_chosen = entry.kind == board.chosen
    compared: list[Cell] = (
        [None] * 3 if is_chosen else [four_digits(value) for value in (entry.gain, entry.low, entry.high)]
    )
    name = f"{entry.kind} (chosen)" if is_chosen else entry.kind
    trials = None if entry.kind == CONSTANT else entry.attempts
    return [name, entry.title, four_digits(entry.value), four_digits(entry.loss), *compared, trials]


def _trial(attempt: Attempt) -> list[Cell]:
    values = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in attempt.values.items()
    )
    state = f"{attempt.state}: {attempt.reason}" if attempt.reason else attempt.state
    return [attempt.number, attempt.candidate.kind, attempt.origin, state, four_digits(attempt.value), values]
