"""Print what was found in the table, what was decided, and the next command."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.scaffold.create_project import Created
from pipelines.scaffold.decisions import Decision
from pipelines.scaffold.project_writer import as_line

_COLOURS = {"label": "bold green", "left out": "dim"}
_MOST_SHOWN = 40


def print_created(console: Console, created: Created) -> None:
    """Print the columns with the decision on each, the suspects, the notes and the next command."""
    console.print(_headline(created))
    if created.written:
        console.print(f"the table: {escape(as_line(created.written))}", highlight=False)
    console.print(_make_table(created))
    for decision in created.suspects:
        message = f"{escape(as_line(decision.column.name))}: {escape(as_line(decision.reason))}"
        console.print(f"[yellow]look at[/] {message}", highlight=False)
    for note in created.notes:
        console.print(f"[yellow]note[/] {escape(as_line(note))}", highlight=False)
    console.print(
        f"wrote {', '.join(path.name for path in created.files)} in {escape(str(created.folder))}", highlight=False
    )
    console.print(f"next: [bold]naru run {escape(shlex.quote(str(created.folder)))}[/]", highlight=False)


def _headline(created: Created) -> str:
    task = created.target.task.name.replace("_", " ")
    return f"[bold]{escape(as_line(created.label))}[/]: {task} ({escape(as_line(created.target.reason))}), {created.rows:,} rows"


def _make_table(created: Created) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, kind in (
        ("column", "fold"),
        ("type", "fold"),
        ("missing", "fold"),
        ("becomes", "fold"),
        ("because", "fold"),
    ):
        table.add_column(title, overflow=kind, justify="right" if title == "missing" else "left")  # type: ignore[arg-type]
    shown = _select_rows(created.decisions)
    for decision in shown:
        table.add_row(
            *_make_row(decision, created), style="yellow" if decision.suspect else _COLOURS.get(decision.role, "")
        )
    if hidden := len(created.decisions) - len(shown):
        table.add_row(f"... {hidden} more", "", "", "", "all of them are in the project's README.md")
    return table


def _select_rows(decisions: list[Decision]) -> list[Decision]:
    """Select all columns, or of very many the label, the suspects and the first others, in the table's order."""
    chosen = sorted(decisions, key=lambda decision: (decision.role != "label", not decision.suspect))[:_MOST_SHOWN]
    names = {decision.column.name for decision in chosen}
    return [decision for decision in decisions if decision.column.name in names]


def _make_row(decision: Decision, created: Created) -> list[str]:
    column = decision.column
    missing = f"{column.missing_share:.1%}" if column.missing else ""
    reason = decision.reason
    if decision.role == "label" and created.target.positive is not None:
        reason += f"; positive is {created.target.positive!r}, {created.target.positive_reason}"
    return [escape(as_line(column.name)), column.type.name, missing, decision.role, escape(as_line(reason))]
