"""`naru clean`: remove old runs, logs and work files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.arguments import LOOP_PANEL, ProjectPath

if TYPE_CHECKING:  # imported at run time only by the command that needs it
    from pipelines.clean.plan import KindPlan


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(
        epilog="Examples: `naru clean examples/flights --keep 10`, and when the plan is right "
        "`naru clean examples/flights --keep 10 --yes`",
        rich_help_panel=LOOP_PANEL,
    )(clean)


def clean(
    project: ProjectPath = Path(),
    keep: Annotated[
        str,
        typer.Option(
            metavar="N|AGE",
            help="What is kept: the newest runs by number, as in `10`, or all kinds up to an age, as in `30d`.",
            show_default="the section keep of the project",
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this the plan is only shown.")] = False,
    cluster: Annotated[
        bool,
        typer.Option("--cluster", help="Clean the server of KF_PIPELINES_ENDPOINT and its store, not this machine."),
    ] = False,
) -> None:
    """Show what of runs, results, logs and work files would be removed, and with --yes remove it.

    Versions, spans, ledgers and records stay, and so do the runs of versions that were deployed, wait for an approval or are in flight.
    """
    from pipelines.clean.clean import parse_rule, plan_clean, plan_clean_cluster
    from pipelines.cli.kfp import open_server

    rule = parse_rule(keep)
    if not cluster:
        _show_and_remove(plan_clean(project, rule), yes=yes)
        return
    with open_server([project], "training") as (server, desired):
        _show_and_remove(plan_clean_cluster(project, rule, server, desired[0]), yes=yes)


def _show_and_remove(plans: list[KindPlan], *, yes: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipelines.clean.clean import carry_out, describe_plan, format_bytes

    table = Table(box=None, pad_edge=False)
    for name in ("what", "removed", "files", "bytes", "kept", ""):
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    for row in describe_plan(plans):
        table.add_row(*map(escape, row))
    Console(highlight=False).print(table)
    due = sum(len(plan.removed) for plan in plans)
    size = format_bytes(sum(plan.size for plan in plans))
    if not due:
        typer.echo("nothing to remove")
    elif not yes:
        typer.echo(f"would remove {due:,} with {size}; nothing was removed: run it again with --yes")
    else:
        for plan in carry_out(plans):
            typer.echo(f"{plan.kind}: {len(plan.removed):,} removed")
        typer.echo(f"removed {due:,} with {size}")
