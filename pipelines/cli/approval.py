"""`naru approve` and `naru approvals`: decide about versions that wait for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.arguments import PoolsFile, ProjectPath, Registry, Tag

_PANEL = "Serving"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(
        epilog="Examples: `naru approve 3 examples/flights --reason 'the slices look right'`, "
        "`naru approve 3 examples/flights --refuse --reason 'half of the rows are of one day'`",
        rich_help_panel=_PANEL,
    )(approve)
    app.command(rich_help_panel=_PANEL)(approvals)


def approve(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version that waits.")],
    project: ProjectPath = Path(),
    reason: Annotated[str, typer.Option(help="Why, in a sentence; recorded for good.")] = "",
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse it: it is not rolled out.")] = False,
    evidence: Annotated[
        str,
        typer.Option(
            help="Begin of the evidence's digest, as naru approvals shows it: refuse to decide about other evidence."
        ),
    ] = "",
    registry: Registry = "",
    tag: Tag = "",
    pools: PoolsFile = "",
) -> None:
    """Approve a version that waits, and roll it out; with NARU_SERVING=seldon on the cluster of KUBECONFIG.

    Who approved, when, why and on which evidence is recorded in the store. The same command again goes on where it was killed.
    """
    from pipelines.approval import Decision, decide
    from pipelines.compile_target import Target

    target = Target.from_environment(registry=registry, tag=tag, pools=pools)
    decide(project, Decision(version, reason, refuse, evidence), target, typer.echo)


def approvals(project: ProjectPath = Path()) -> None:
    """List the versions that wait for an approval, and the decisions about earlier ones."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipelines.approval import list_requests

    rows = list_requests(project)
    table = Table("version", "asked", "state", "until", "evidence", "by whom and why", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    if rows:
        Console(highlight=False).print(table)
    else:
        typer.echo("no version has asked for an approval")
