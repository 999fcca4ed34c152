"""Terminal view of a run: a live table while it runs, and a final table with the seconds of each stage."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipelines.local.headline_metrics import list_headlines
from pipelines.local.run_record import LocalRunRecord
from pipelines.local.run_state import StageState, read_states

_MARKS = {
    "ok": ("✓", "green"),
    "warn": ("!", "yellow"),
    "blocked": ("✗", "red"),
    "skipped": ("–", "dim"),
    "failed": ("✗", "bold red"),
    "interrupted": ("■", "yellow"),
    "running": ("▸", "cyan"),
    "waiting": ("·", "dim"),
}
_SKIPPED_AFTER_BLOCK = ("explain", "register", "deploy")
"""Stages that are skipped after a gate blocked."""

_MOST_UNNEEDED = 8
"""Names of unneeded features in the last lines."""


class Progress:
    """A live view of a run's folder. On a terminal it redraws in place; elsewhere it prints a line per ended stage.

    Args:
        console: Console to print to.
        run: The run's folder.
        title: Heading of the view.
    """

    def __init__(self, console: Console, run: Path, title: str) -> None:
        self._console, self._run, self._title = console, run, title
        self._spinner = Spinner("dots", style="cyan")
        self._reported: set[str] = set()
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Progress:
        self._console.print(Text(self._title, style="bold"))
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def _render(self) -> RenderableType:
        return Group(*[self._line(state) for state in read_states(self._run)])

    def _line(self, state: StageState) -> RenderableType:
        word = state.verdict or state.state
        mark, style = _MARKS.get(word, ("?", "magenta"))
        line = Table.grid(padding=(0, 1))
        line.add_column(width=2)
        line.add_column(width=10)
        line.add_column(width=7, justify="right")
        line.add_column(width=8)
        line.add_column(no_wrap=True, overflow="ellipsis")
        first: RenderableType = self._spinner if state.state == "running" else Text(mark, style=style)
        seconds = f"{state.seconds:.1f} s" if state.state != "waiting" else ""
        line.add_row(
            first,
            Text(state.stage, style="bold" if state.state == "running" else ""),
            seconds,
            Text(word, style=style),
            _describe_state(state),
        )
        return line


def _describe_state(state: StageState) -> str:
    if state.state == "running" and state.import_seconds > max(0.5, state.seconds - 0.5):
        return "waiting for the imports that all stages share (TensorFlow and others)"
    is_left_out = state.verdict == "skipped" and state.stage in _SKIPPED_AFTER_BLOCK
    # the cause is the reason of the earlier stage, and in the last lines
    reason = state.reason.partition(":")[0] if is_left_out else state.reason
    return f"(reused) {reason}" if state.reused else reason


def print_record(console: Console, record: LocalRunRecord) -> None:
    """Print the result of a run: stages with seconds, verdict, metrics, report, and the command that serves."""
    console.print(_stage_table(record))
    if record.metrics:
        console.print(_metric_line(record))
    for line in [*record.leaderboard, *record.variants]:
        console.print(Text(line), soft_wrap=True)
    style = {"succeeded": "green" if record.deployed else "yellow", "failed": "red", "interrupted": "yellow"}[
        record.status
    ]
    ended = {"succeeded": "Nothing deployed:", "failed": "Failed:", "interrupted": "Interrupted:"}[record.status]
    head = "Deployed:" if record.deployed else ended
    console.print(Text(f"{head} ", style=f"bold {style}") + Text(_reason_line(record)))
    for warning in record.warnings:
        console.print(Text("! ", style="bold yellow") + Text(warning))
    if record.unneeded:
        names = record.unneeded[:_MOST_UNNEEDED]
        more = f" and {len(record.unneeded) - len(names)} more" if len(names) < len(record.unneeded) else ""
        console.print(
            Text(f"Neither of two methods finds a use for {', '.join(names)}{more}. To leave out, under data:")
        )
        console.print(Text(f"  {record.proposal}"), soft_wrap=True)
    if record.error and record.error["remedy"]:
        console.print(Text(f"  -> {record.error['remedy']}"))
    for name, value in (
        ("report", record.paths.get("report")),
        ("log", record.paths.get("log") if record.error else ""),
    ):
        if value:
            console.print(Text(f"{name:<7}") + Text(_relative_path(value), style="cyan"), soft_wrap=True)
    if record.ablate:
        console.print(Text(f"{'ablate':<7}") + Text(record.ablate, style="cyan"), soft_wrap=True)
    if record.approve:
        console.print(Text(f"{'approve':<8}") + Text(record.approve, style="cyan"), soft_wrap=True)
    if record.deployed:
        console.print(Text(f"{'serve':<7}") + Text(record.serve, style="cyan"), soft_wrap=True)


def _reason_line(record: LocalRunRecord) -> str:
    if record.error:
        place = f"{record.error['where']}: " if record.error["where"] else ""
        return f"{place}{record.error['message']}"
    return record.reason.removeprefix("nothing was deployed: ")


def _stage_table(record: LocalRunRecord) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("stage")
    for name in ("seconds", "imports", "work"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    table.add_column("reason", overflow="fold")
    for state in record.stages:
        if state.state == "waiting":
            table.add_row(Text(state.stage, style="dim"), "", "", "", Text("not run", style="dim"), "")
            continue
        mark, style = _MARKS.get(state.verdict or state.state, ("?", "magenta"))
        verdict = Text(f"{mark} {state.verdict or state.state}", style=style)
        numbers = [f"{value:.1f}" for value in (state.seconds, state.import_seconds, state.work_seconds)]
        table.add_row(state.stage, *numbers, verdict, _describe_state(state))
    table.add_row(
        Text("naru, kfp", style="dim"),
        f"{record.other_seconds:.1f}",
        f"{record.other_seconds:.1f}",
        "",
        "",
        Text("the command's own imports, and the time between stages", style="dim"),
    )
    imports = record.other_seconds + sum(state.import_seconds for state in record.stages)
    work = sum(state.work_seconds for state in record.stages)
    table.add_row("total", f"{record.seconds:.1f}", f"{imports:.1f}", f"{work:.1f}", "", "", style="bold")
    return table


def _metric_line(record: LocalRunRecord) -> Text:
    metrics = record.metrics
    shown = list_headlines(record.parameters, metrics) or sorted(metrics)[:6]
    shown += ["threshold"] if "threshold" in metrics and "threshold" not in shown else []
    return Text("test   ") + Text("  ".join(f"{name} {metrics[name]:.4f}" for name in shown), style="bold")


def _relative_path(path: str) -> str:
    """Shorten a path relative to the current folder."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
