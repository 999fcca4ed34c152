"""`naru serve|load|live-test|feedback|rollback|ledger`: serve, load-test and roll back a champion, test a version beside it, join labels, print the history."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.arguments import LOOP_PANEL, PoolsFile, ProjectPath, Registry, Tag

_PANEL = "Serving"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(epilog="Example: `naru serve examples/flights --port 8081`", rich_help_panel=_PANEL)(serve)
    app.command(
        epilog="Examples: `naru load examples/flights`, `naru load --clients 1,8,32 --rows 100 --seconds 5`",
        rich_help_panel=_PANEL,
    )(load)
    app.command(
        epilog="Examples: `naru live-test examples/flights`, `naru live-test examples/flights --stop 'wrong metric'`",
        rich_help_panel=_PANEL,
    )(live_test)
    app.command(epilog="Example: `naru feedback examples/flights`, once a day from cron", rich_help_panel=LOOP_PANEL)(
        feedback
    )
    app.command(
        epilog="Examples: `naru rollback examples/flights`, `naru rollback examples/flights --to 3`",
        rich_help_panel=_PANEL,
    )(rollback)
    app.command(rich_help_panel=_PANEL)(ledger)


def serve(
    project: ProjectPath = Path(),
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port on the loopback interface; 0 picks a free one.", show_default="the project's"
        ),
    ] = None,
    metrics_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            help="Loopback port of /metrics, with the monitor's newest result.",
            show_default="none",
        ),
    ] = 0,
) -> None:
    """Serve the champion on loopback until interrupted, and print a request that works."""
    from components._core.project.project_file import load_project
    from pipelines.serve import serve_champion

    loaded = load_project(project)
    folder = project if project.is_dir() else project.parent
    raise typer.Exit(serve_champion(folder, loaded.serve.port if port is None else port, metrics_port))


def load(
    project: ProjectPath = Path(),
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Loopback port of a running server.", show_default="the project's"),
    ] = None,
    url: Annotated[str, typer.Option(help="URL of a running server, as http://HOST:PORT; instead of --port.")] = "",
    clients: Annotated[str, typer.Option(help="Numbers of concurrent clients, one load test for each.")] = "1,8",
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Duration of each load test in seconds.")] = 10.0,
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows per request.")] = 1,
) -> None:
    """Load-test a running server, or the champion started for the test, with real rows: requests per second, latencies, errors."""
    from rich.console import Console

    from pipelines.load_test import Target, load_server, parse_clients

    target = Target.of(port, url)
    raise typer.Exit(load_server(Console(highlight=False), project, target, parse_clients(clients), seconds, rows))


def live_test(
    project: ProjectPath = Path(),
    stop: Annotated[
        str,
        typer.Option(
            metavar="REASON", help="End the test that goes on, for a reason that is recorded; the champion stays."
        ),
    ] = "",
    registry: Registry = "",
    tag: Tag = "",
    pools: PoolsFile = "",
) -> None:
    """Show the shadow or A/B test of a version beside the champion, and judge it once it is complete or its deadline is reached.

    With NARU_SERVING=seldon the cluster of KUBECONFIG then serves what came of it.
    """
    from pipelines.compile_target import Target
    from pipelines.live_test import follow_on_target, show_live_test

    for line in show_live_test(project, stop):
        typer.echo(line)
    for line in follow_on_target(project, Target.from_environment(registry=registry, tag=tag, pools=pools)):
        typer.echo(line)


def feedback(
    project: ProjectPath = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be joined, and write nothing.")] = False,
) -> None:
    """Join the request log with labels that came later, and write the next span once feedback.min_rows rows have a label.

    Each row enters one span, also after a kill; too few rows wait for the next run, which is not an error.
    """
    from pipelines.feedback import run_feedback, wrap_lines

    lines = run_feedback(project, write=not dry_run)
    if sys.stdout.isatty():
        lines = wrap_lines(lines, shutil.get_terminal_size().columns)
    for line in lines:
        typer.echo(line)


def rollback(
    project: ProjectPath = Path(),
    to: Annotated[str, typer.Option(help="Version to go back to.", show_default="the previous champion")] = "",
    registry: Registry = "",
    tag: Tag = "",
    pools: PoolsFile = "",
) -> None:
    """Make an earlier champion the champion again; with NARU_SERVING=seldon on the cluster of KUBECONFIG first."""
    from pipelines.compile_target import Target
    from pipelines.rollback import roll_back

    done = roll_back(project, to, Target.from_environment(registry=registry, tag=tag, pools=pools))
    for line in done.seen:
        typer.echo(line)
    typer.echo(f"version {done.now} is the champion of {done.name}; it was {done.before}")


def ledger(project: ProjectPath = Path()) -> None:
    """Print which version served when, each step of its rollout, by whom and why."""
    from rich.console import Console
    from rich.table import Table

    from pipelines.rollback import tell_ledgers

    table = Table("when", "by", "what", "shares", "why", box=None, pad_edge=False)
    for line in tell_ledgers(project):
        table.add_row(*line)
    Console().print(table)
