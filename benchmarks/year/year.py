"""The year as a whole: the first run, the loop, the other policies, and the page about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.year.flights import Changes
from benchmarks.year.loop import Costs, Loop, Say, Week, train_first
from benchmarks.year.policies import Policy, first_of_month, other_policies, served_policy
from benchmarks.year.project import write_project
from benchmarks.year.timeline import MARKS, as_file, draw_year
from components._core.files import write_json, write_text
from components._core.report.html import write_page
from components._core.report.page import Page
from components.watch.watcher import describe
from pipelines.local.trained_run import find_trained
from pipelines.local.workspace import find_workspace

_ROOT = Path(__file__).resolve().parents[2]
PICTURE = _ROOT / "docs" / "year.svg"
RESULTS = _ROOT / "benchmarks" / "results" / "year.json"
_MARK, _END_MARK = "<!-- year -->", "<!-- /year -->"
_STORY = (
    "One flight in ten that left New York in 2013. January to March trained the first champion; then each week's flights were answered, and "
    "their labels came a week later. In June LaGuardia's feed lost the departure delay of one flight in three: broken data, which is a notice "
    "and starts no run. From September on four airlines reported the delay of the take-off instead of that of leaving the gate."
)


@dataclass(frozen=True)
class Year:
    """What a year gave.

    Attributes:
        metric: Name of the metric.
        changes: What happened to the flights.
        weeks: The weeks of the loop.
        policies: By triggers, never, every month.
        costs: Seconds by part.
    """

    metric: str
    changes: Changes
    weeks: list[Week]
    policies: list[Policy]
    costs: Costs

    def lines(self) -> list[str]:
        """Return the comparison and the costs as lines for the terminal."""
        months = sorted(self.policies[0].by_month)
        lines = [f"{'retrained':<24}{'runs':>5}{self.metric:>9}  by month {months[0]} to {months[-1]}"]
        for policy in self.policies:
            values = " ".join(f"{policy.by_month[month]:.3f}" for month in months)
            lines.append(f"{policy.name:<24}{policy.runs:>5}{policy.mean:>9.4f}  {values}")
        lines += [
            f"{part:<18}{self.costs.wall[part]:>7.1f} s{self.costs.processor[part]:>8.1f} CPU s"
            for part in self.costs.wall
        ]
        return lines


def run_year(folder: Path, first: date, end: date, changes: Changes, say: Say) -> Year:
    """Run the year.

    Args:
        folder: Where the project goes; it must not be there.
        first: First day that is served.
        end: First day that is not.
        changes: What happens to the flights.
        say: Prints a line for a person.
    """
    costs, project = Costs(), folder / "flights"
    project.mkdir(parents=True)
    with costs.measured("flights"):
        write_project(project, changes)
    with costs.measured("first run"):
        train_first(project)
    trained = find_trained(find_workspace(project), explained=False)
    with costs.measured("start of the server"):
        loop = Loop(project, changes, say, costs)
    weeks = loop.run(first, end)
    with costs.measured("other policies"):
        others = other_policies(project, trained, weeks, changes, say)
    own = served_policy(trained.project, weeks)
    return Year(trained.project.primary_metric().name, changes, weeks, [own, *others], costs)


def write_year(year: Year, folder: Path) -> Path:
    """Write the page of the year; returns its path."""
    path = folder / "year.html"
    write_page(_make_page(year), path)
    return path


def keep_results(year: Year) -> None:
    """Renew the picture, the figures among the benchmarks' results, and the tables of the two READMEs that show them."""
    write_text(PICTURE, as_file(_draw(year)))
    policies = {
        policy.name: {"runs": policy.runs, year.metric: round(policy.mean, 4), "by_month": _rounded(policy)}
        for policy in year.policies
    }
    seconds = {
        part: {"wall": round(year.costs.wall[part], 1), "processor": round(year.costs.processor[part], 1)}
        for part in year.costs.wall
    }
    results = {"machine": describe_machine(None), "policies": policies, "events": _events(year), "seconds": seconds}
    write_json(RESULTS, results)
    picture = (
        "![The metric of three policies, and below it versions, runs, alarms and traffic, week by week](docs/year.svg)"
    )
    _renew_block(_ROOT / "README.md", [picture, "", MARKS, "", *_table(year, [])])
    months = sorted(year.policies[0].by_month)
    used = sum(year.costs.processor.values())
    took = f"It took {used:.0f} processor seconds and {sum(year.costs.wall.values()):.0f} s by the clock."
    _renew_block(_ROOT / "benchmarks" / "README.md", [*_table(year, months), *(["", took] if used else [])])


def _table(year: Year, months: list[int]) -> list[str]:
    """Return the policies as the lines of a table in Markdown."""
    head = [
        "retrained",
        "runs",
        f"{year.metric}, mean of the months",
        *(f"{first_of_month(month):%b}" for month in months),
    ]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for each in year.policies:
        values = [f"{each.by_month[month]:.3f}" for month in months]
        lines.append([each.name, str(each.runs), f"{each.mean:.4f}", *values])
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _renew_block(file: Path, lines: list[str]) -> None:
    """Replace what stands between the marks of the year."""
    before, _, rest = file.read_text(encoding="utf-8").partition(f"{_MARK}\n")
    _, end, after = rest.partition(_END_MARK)
    write_text(file, "\n".join([before + _MARK, *lines, end + after]))


def _rounded(policy: Policy) -> dict[str, float]:
    return {f"{month:02d}": round(value, 4) for month, value in sorted(policy.by_month.items())}


def _draw(year: Year) -> str:
    return draw_year(year.metric, year.changes, year.weeks, year.policies)


def _make_page(year: Year) -> Page:
    page = Page("year", "A year of flights")
    own, months = year.policies[0], sorted(year.policies[0].by_month)
    rows = sum(week.rows.num_rows for week in year.weeks)
    page.facts({"answered": rows, "weeks": len(year.weeks), "runs": own.runs, year.metric: round(own.mean, 4)})
    page.text(_STORY)
    page.figure(
        "The year",
        _draw(year),
        MARKS.replace("*", ""),
    )
    columns = ["retrained", "runs", year.metric, *(f"{first_of_month(month):%b}" for month in months)]
    page.table(
        "Three policies on the same rows",
        columns,
        [
            [each.name, each.runs, round(each.mean, 4), *(round(each.by_month[month], 4) for month in months)]
            for each in year.policies
        ],
        "Mean of the months, and each month.",
    )
    page.table("What was decided, and why", ["looked", "what", "why"], [list(event) for event in _events(year)])
    page.table(
        "What it cost",
        ["part", "seconds", "processor seconds"],
        [[part, round(year.costs.wall[part], 1), round(year.costs.processor[part], 1)] for part in year.costs.wall],
    )
    return page


def _events(year: Year) -> list[list[str]]:
    """Return what the watcher recorded: when, what, why."""
    found = []
    for week in year.weeks:
        for record in week.records:
            if record.state not in ("seen", "started"):
                what, _, why = describe(record).partition("  ")[2].partition(": ")
                found.append([f"{week.looked:%Y-%m-%d}", what, why])
    return found
