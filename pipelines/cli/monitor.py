"""`naru monitor`: compare the requests that a project's versions answered with the rows that they were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components._core.errors import ConfigError
from pipelines.cli.arguments import LOOP_PANEL, ProjectPath


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(epilog="Example: `naru monitor examples/flights --window 24h`", rich_help_panel=LOOP_PANEL)(monitor)


def monitor(
    project: ProjectPath = Path(),
    window: Annotated[
        str,
        typer.Option(
            help="Time whose requests are judged together, as in 24h or 7d.", show_default="the project's, else 7d"
        ),
    ] = "",
    since: Annotated[
        str, typer.Option(help="Start of the window instead of its length, as in 2026-01-31 or 2026-01-31T09:00Z.")
    ] = "",
) -> None:
    """Report what has changed in the answered requests, since when and in which; ends with exit code 5 when a check fails."""
    from pipelines.local.monitor_run import monitor_project

    if window and since:
        remedy = "--since says where the window begins, --window how long it is"
        raise ConfigError("give --window or --since, not both", where="naru monitor", remedy=remedy)
    found = monitor_project(project, window, since)
    for line in found.lines:
        typer.echo(line)
    raise typer.Exit(found.exit_code)
