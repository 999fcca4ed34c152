"""Print what was found in the table, what was decided, one line a column, and the next command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from pipelines.scaffold.create_project import Created
from pipelines.scaffold.decisions import Decision
from pipelines.scaffold.project_writer import as_line

_COLOURS = {"label": "bold green", "left out": "dim"}
_MOST_SHOWN = 40
_WIDEST_NAME = 24
_KIND_WIDTH = len("identifier")


def print_created(console: Console, created: Created) -> None:
    """Print a line for each column, what to look at, the notes and the next command."""
    console.print(_headline(created))
    if created.written:
        console.print(f"the table: {escape(as_line(created.written))}", highlight=False)
    for line in _column_lines(created):
        console.print(line, soft_wrap=True)  # one line for each column, also where it is longer than the terminal
    for name, finding in created.findings:
        message = f"{escape(as_line(name))}: {escape(as_line(finding))}"
        console.print(f"[yellow]look at[/] {message}", highlight=False)
    for note in created.notes:
        console.print(f"[yellow]note[/] {escape(as_line(note))}", highlight=False)
    names = ", ".join(path.relative_to(created.folder).as_posix() for path in created.files)
    console.print(f"wrote {names} in {escape(str(created.folder))}", highlight=False)
    console.print(f"next: [bold]naru run {escape(shlex.quote(str(created.folder)))}[/]", highlight=False)


def _headline(created: Created) -> str:
    task = created.target.task.name.replace("_", " ")
    return f"[bold]{escape(as_line(created.label))}[/]: {task} ({escape(as_line(created.target.reason))}), {created.rows:,} rows"


def _column_lines(created: Created) -> Iterator[Text]:
    """Yield a line for each column: its name, what it is, and why."""
    shown = _select_rows(created.decisions)
    width = min(max(len(as_line(decision.column.name)) for decision in shown), _WIDEST_NAME)
    for decision in shown:
        style = "yellow" if decision.suspect else _COLOURS.get(decision.role, "")
        name, kind = as_line(decision.column.name), _kind(decision, created)
        yield Text(f"{name:{width}}  {kind:{_KIND_WIDTH}}  {as_line(_why(decision, created))}", style=style)
    if hidden := len(created.decisions) - len(shown):
        yield Text(f"... {hidden} more: all of them are in the project's README.md", style="dim")


def _select_rows(decisions: list[Decision]) -> list[Decision]:
    """Select all columns, or of very many the label, the suspects and the first others, in the table's order."""
    chosen = sorted(decisions, key=lambda decision: (decision.role != "label", not decision.suspect))[:_MOST_SHOWN]
    names = {decision.column.name for decision in chosen}
    return [decision for decision in decisions if decision.column.name in names]


def _kind(decision: Decision, created: Created) -> str:
    if decision.role == "label":
        return "category" if created.target.task.has_classes else "number"
    return decision.kind


def _why(decision: Decision, created: Created) -> str:
    column, parts = decision.column, []
    if decision.role == "label":
        parts.append("the label")
        if created.target.positive is not None:
            parts.append(f"positive is {created.target.positive!r}, {created.target.positive_reason}")
    else:
        parts.append(f"left out: {decision.reason}" if decision.role == "left out" else decision.reason)
    if column.missing and column.missing < column.rows:
        parts.append(f"{column.missing_share:.1%} missing")
    return "; ".join(parts)
