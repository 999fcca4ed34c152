"""The loop, week by week: requests are answered, labels follow, the monitor looks, triggers decide, runs promote.

All of it is what `naru run`, `naru feedback`, `naru monitor` and `naru watch` do, called with the time of the year.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import pyarrow as pa

from benchmarks.year.flights import Changes, read_days
from benchmarks.year.project import LABELS, WEEK
from components._core.examples.safe_parquet import pq
from components._core.project.project_file import load_project
from components.watch.monitor_results import MonitorResults
from components.watch.records import Record, open_records, read_history
from components.watch.state import Window
from pipelines.feedback import run_feedback
from pipelines.local.monitor_run import monitor_project
from pipelines.local.watch import LocalWatcher
from pipelines.local.workspace import find_workspace

Say = Callable[[str], None]
_LOOK_AT = time_of_day(0, 15)
"""When the loop looks, on the day after a week: an hour counts ten minutes after its end."""


@dataclass(frozen=True)
class Week:
    """What a week brought.

    Attributes:
        begin: Its first day.
        looked: When the loop looked at it.
        version: The version that answered.
        rows: Its flights, with features as they were sent, the label, `date` and `score`.
        windows: The results of the monitor.
        records: What the watcher recorded.
    """

    begin: date
    looked: datetime
    version: str
    rows: pa.Table
    windows: tuple[Window, ...]
    records: tuple[Record, ...]


@dataclass
class Costs:
    """Seconds by part: of the clock, and of processors, those of the part's processes included."""

    wall: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measured(self, part: str) -> Iterator[None]:
        """Add what a block takes to a part."""
        began, used = time.perf_counter(), _processor_seconds()
        try:
            yield
        finally:
            self.wall[part] = self.wall.get(part, 0.0) + time.perf_counter() - began
            self.processor[part] = self.processor.get(part, 0.0) + _processor_seconds() - used


def _processor_seconds() -> float:
    usages = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def train_first(folder: Path) -> None:
    """Train the first champion with `naru run`."""
    command = [sys.executable, "-m", "pipelines", "run", str(folder), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    record = json.loads(done.stdout or "{}")
    if done.returncode or not record["deployed"]:
        raise SystemExit(f"the first run deployed nothing (exit code {done.returncode}): {record.get('reason')}")


class Loop:
    """The loop of a project that has a champion.

    Args:
        folder: The project.
        changes: What happens to the flights.
        say: Prints a line for a person.
        costs: Gets the seconds of its parts.
    """

    def __init__(self, folder: Path, changes: Changes, say: Say, costs: Costs) -> None:
        from benchmarks.year.server import Server  # brings TensorFlow

        self._folder, self._changes, self._say, self._costs = folder, changes, say, costs
        self._project, self._store = load_project(folder), find_workspace(folder).settings().store
        self._server = Server(self._project, self._store)
        self._watcher = LocalWatcher(folder, self._say_with_date, now=lambda: self._now)
        self._results = MonitorResults(self._store, self._project.name)
        self._now = datetime.min.replace(tzinfo=UTC)
        self._late: pa.Table | None = None
        self._seen: set[str] = set()
        self._said = 0

    def run(self, first: date, end: date) -> list[Week]:
        """Go through the whole weeks from `first` to before `end`."""
        return [self._week(first + number * WEEK) for number in range((end - first) // WEEK)]

    def _week(self, begin: date) -> Week:
        costs, version = self._costs, self._server.version
        days = list(read_days(begin, begin + WEEK, self._changes))
        self._now = datetime.combine(begin + WEEK, _LOOK_AT, UTC)
        with costs.measured("answers"):
            scores, known = self._server.answer(days)
        with costs.measured("labels"):
            self._deliver(known)
        with costs.measured("monitor"):
            monitor_project(self._folder, now=self._now)
        with costs.measured("triggers and runs"):
            self._watcher.look()
            self._server.refresh()
        rows = pa.concat_tables([day.rows for day in days]).append_column("score", pa.array(scores))
        return Week(begin, self._now, version, rows, self._new_windows(), self._new_records())

    def _deliver(self, known: pa.Table) -> None:
        """Deliver the labels of the week before, and join them; those of this week come a week later."""
        if self._late is not None:
            folder = self._folder / LABELS
            pq.write_table(self._late, folder / f"{self._now:%Y-%m-%d}.parquet")
            lines = run_feedback(self._folder, now=self._now)
            if not lines[-1].startswith("span "):
                raise SystemExit(f"no span was written: {lines[-1]}")
        self._late = known

    def _new_windows(self) -> tuple[Window, ...]:
        windows = self._results.read()
        new = tuple(window for window in windows if window.uri not in self._seen)
        self._seen |= {window.uri for window in new}
        return new

    def _new_records(self) -> tuple[Record, ...]:
        records = read_history(open_records(self._store, self._project.name)).records
        new, self._said = tuple(records[self._said :]), len(records)
        return new

    def _say_with_date(self, line: str) -> None:
        self._say(f"{self._now:%Y-%m-%d}  {line}")
