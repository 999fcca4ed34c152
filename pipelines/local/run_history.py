"""The past runs of a project: list them, and compare two of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from components._core.errors import ConfigError
from components._core.files import read_json
from components._core.report.number_format import show
from components._core.suggestions import suggest
from components._core.types.artifact_files import HYPERPARAMETERS
from pipelines.local.headline_metrics import list_headlines
from pipelines.local.workspace import PARAMETERS, RECORD, Workspace

_STYLES = {"succeeded": "green", "failed": "red", "interrupted": "yellow"}


@dataclass(frozen=True)
class PastRun:
    """A run that ended.

    Attributes:
        record: The content of `run.json`; see `run_record.LocalRunRecord`.
        parameters: The pipeline's parameters, the project's fields by their dotted paths.
    """

    record: dict[str, Any]
    parameters: dict[str, Any]

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.record["run"])


def read_runs(workspace: Workspace) -> list[PastRun]:
    """Read all runs that ended, oldest first."""
    return [_read(path.parent) for path in sorted(workspace.runs.glob(f"*/{RECORD}"))]


def find_run(runs: list[PastRun], name: str) -> PastRun:
    """Find a run by its name, or by a unique prefix or suffix of it; `last` is the newest.

    Raises:
        ConfigError: When there is none, or more than one.
    """
    if name == "last" and runs:
        return runs[-1]
    found = [run for run in runs if run.name.startswith(name) or run.name.endswith(name)]
    if len(found) == 1:
        return found[0]
    names = [run.name for run in runs]
    message = (
        f"there is no run {name!r}; {suggest(name, names)}" if not found else f"{name!r} matches {len(found)} runs"
    )
    raise ConfigError(message, where="naru runs", remedy="name one as the list shows it: naru runs PROJECT")


def print_runs(console: Console, runs: list[PastRun]) -> None:
    """Print a line per run, the newest last, and its result below it; 80 columns are enough."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for name in ("run", "ended", "seconds", "reused", "version", "test"):
        table.add_column(name, justify="right" if name in ("seconds", "reused") else "left", no_wrap=True)
    lines = []
    for run in runs:
        record = run.record
        status = Text(record["status"], style=_STYLES[record["status"]])
        reused = str(sum(bool(stage.get("reused")) for stage in record["stages"]))
        version = f"{record['model_version']} (champion)" if record["deployed"] else record["model_version"]
        table.add_row(run.name, status, f"{record['seconds']:.1f}", reused, version, _format_metric(record))
        lines.append([line for line in (_first_line(record["reason"]), _tuned_line(record)) if line])
    _print_with_lines(console, table, lines)


def _print_with_lines(console: Console, table: Table, lines: list[list[str]]) -> None:
    """Print the rows of a table, each with indented lines of text below it."""
    head, *rows = console.render_lines(table, console.options.update(width=max(console.width, 80)), pad=False)
    for number, row in enumerate([head, *rows]):
        console.print(Text.assemble(*((segment.text, segment.style or "") for segment in row)), soft_wrap=True)
        for line in lines[number - 1] if 0 < number <= len(lines) else []:
            console.print(Padding(Text(line, style="dim"), (0, 0, 0, 2)))


def _first_line(reason: str) -> str:
    return reason.splitlines()[0] if reason else ""


def _tuned_line(record: dict[str, Any]) -> str:
    """Format the hyperparameters that the search found; empty without a search, or when the file is gone."""
    searched = any(stage["stage"] == "tune" and stage["verdict"] in ("ok", "warn") for stage in record["stages"])
    file = Path(record.get("artifacts", {}).get("hyperparameters", "")) / HYPERPARAMETERS
    if not searched or not file.is_file():
        return ""
    return "tuned  " + "  ".join(f"{name} {show(value)}" for name, value in sorted(read_json(file).items()))


def print_comparison(console: Console, one: PastRun, other: PastRun) -> None:
    """Print the differences between two runs: parameters, results and seconds."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    for run in (one, other):
        table.add_column(run.name, justify="right", overflow="fold")
    table.add_column("change", justify="right")
    _add_differences(table, "parameters", one.parameters, other.parameters)
    _add_differences(table, "results", _outcome(one.record), _outcome(other.record))
    _add_differences(table, "seconds", _seconds(one.record), _seconds(other.record))
    console.print(table)


def _read(folder: Path) -> PastRun:
    record: dict[str, Any] = read_json(folder / RECORD)
    parameters = folder / PARAMETERS
    return PastRun(record, _flatten(read_json(parameters)) if parameters.exists() else {})


def _flatten(value: Any, place: str = "") -> dict[str, Any]:
    """Flatten a nested mapping to dotted paths; the project, which is JSON in a text, is parsed."""
    if isinstance(value, dict):
        parts = [_flatten(item, f"{place}.{key}" if place else key) for key, item in value.items()]
        return {key: item for part in parts for key, item in part.items()}
    if place in ("project", "champion") and str(value).startswith("{"):
        opened = json.loads(value)
        return _flatten(opened, "") if place == "project" else {"champion": opened["version"]}
    return {place: value}


def _outcome(record: dict[str, Any]) -> dict[str, Any]:
    verdicts = {f"{stage['stage']} verdict": stage["verdict"] for stage in record["stages"]}
    metrics = record["metrics"]
    names = dict.fromkeys([*list_headlines(record.get("parameters", {}), metrics), *metrics])
    return {"status": record["status"], **verdicts, **{name: metrics[name] for name in names}}


def _seconds(record: dict[str, Any]) -> dict[str, Any]:
    return {**{stage["stage"]: stage["seconds"] for stage in record["stages"]}, "total": record["seconds"]}


def _add_differences(table: Table, title: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    differing = [key for key in {**one, **other} if one.get(key) != other.get(key) and key != "run"]
    table.add_section()
    table.add_row(
        Text(title, style="bold"), *([Text("the same", style="dim"), "", ""] if not differing else ["", "", ""])
    )
    for key in differing:
        table.add_row(
            f"  {key}",
            _format_value(one.get(key)),
            _format_value(other.get(key)),
            _format_change(one.get(key), other.get(key)),
        )


def _format_value(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _format_change(one: Any, other: Any) -> str:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one, other))
    return f"{other - one:+.4f}" if numbers else ""


def _format_metric(record: dict[str, Any]) -> str:
    """Format the metric that decides."""
    metrics: dict[str, float] = record["metrics"]
    shown = list_headlines(record.get("parameters", {}), metrics)[:1]
    return "".join(f"{name} {_format_number(metrics[name])}" for name in shown)


def _format_number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else show(value)
