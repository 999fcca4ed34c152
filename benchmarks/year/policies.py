"""Two other policies on the same rows, by `naru backtest`'s function: never retrain, and retrain every month on the three months before."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.year.flights import FEATURES, FIRST_SERVED, LABEL, Changes, read_days
from benchmarks.year.loop import Say, Week
from benchmarks.year.project import FIRST_DAY
from components._core.examples.safe_parquet import pq
from components._core.project.project_file import Project
from components._core.types.tasks import TASKS
from components.ingest.ingest import ingest_examples
from pipelines.local.backtest import backtest
from pipelines.local.trained_run import Trained
from pipelines.local.workspace import find_workspace

_MONTHS = 3
"""Months that each model is trained on, as the first champion was."""


@dataclass(frozen=True)
class Policy:
    """What a policy gave.

    Attributes:
        name: Its name.
        runs: Training runs, the first one included.
        by_month: The metric on the answers of each month, by the month's number.
    """

    name: str
    runs: int
    by_month: dict[int, float]

    @property
    def mean(self) -> float:
        """Mean of the metric over the months."""
        return sum(self.by_month.values()) / len(self.by_month)


def served_policy(project: Project, weeks: list[Week]) -> Policy:
    """Return what the loop gave, by the scores that were served."""
    rows = pa.concat_tables([week.rows for week in weeks])
    versions = {record.promoted for week in weeks for record in week.records if record.promoted}
    ended = sum(record.state == "ended" for week in weeks for record in week.records)
    months = np.asarray(pc.month(rows["date"]))
    labels, scores = (rows[name].to_numpy() for name in (LABEL, "score"))
    metric, task = project.primary_metric().name, TASKS[project.task]
    by_month = {
        int(month): task.measure(labels[months == month], scores[months == month])[metric]
        for month in np.unique(months)
    }
    return Policy(f"by triggers ({len(versions)} promoted)", 1 + ended, by_month)


def other_policies(folder: Path, trained: Trained, weeks: list[Week], changes: Changes, say: Say) -> list[Policy]:
    """Train and judge the models of the two other policies.

    Args:
        folder: The project.
        trained: The first run, which gives code and hyperparameters.
        weeks: The weeks of the loop, whose rows are judged.
        changes: What happens to the flights.
        say: Called with a line after each model.
    """
    workspace = find_workspace(folder)
    with tempfile.TemporaryDirectory(prefix="year-", dir=workspace.home) as scratch:
        examples = _write_examples(trained.project, weeks, changes, Path(scratch))
        whole = replace(trained, artifacts={**trained.artifacts, "examples": examples})
        found = backtest(workspace, whole, 12, _MONTHS, None, say)
    never = {one.span: one.value for one in found.judged if one.span - one.age == _MONTHS}
    fresh = {one.span: one.value for one in found.judged if one.age == 1}
    return [Policy("never", 1, never), Policy("every month", len(fresh), fresh)]


def _write_examples(project: Project, weeks: list[Week], changes: Changes, folder: Path) -> Path:
    """Write the rows of the year with a month as a span."""
    before = [day.rows for day in read_days(FIRST_DAY, FIRST_SERVED, changes)]
    rows = pa.concat_tables([*before, *(week.rows.drop(["score"]) for week in weeks)])
    months = pc.month(rows["date"])
    for month in pc.unique(months).to_pylist():
        pq.write_table(rows.filter(pc.equal(months, month)).select([*FEATURES, LABEL]), folder / f"{month:02d}.parquet")
    data = project.data.model_copy(update={"source": str(folder / "{span}.parquet"), "spans": "all"})
    examples, quarantine = folder / "examples", folder / "quarantine"
    examples.mkdir()
    quarantine.mkdir()
    ingest_examples(project.model_copy(update={"data": data}), examples=examples, quarantine=quarantine)
    return examples


def first_of_month(month: int) -> date:
    """Return the first day of a month of the year."""
    return date(FIRST_SERVED.year, month, 1)
