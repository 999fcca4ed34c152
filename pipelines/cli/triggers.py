"""`naru watch` and `naru triggers ls|fire|reset`: start runs by the triggers of a project, and show why they did or did not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.errors import ConfigError
from pipelines.cli.arguments import LOOP_PANEL, ProjectPath

if TYPE_CHECKING:  # imported at run time only by the command that needs it
    from pipelines.kfp.cluster_watch import ProjectWatcher
    from pipelines.local.watch import LocalWatcher

_group = typer.Typer(name="triggers", no_args_is_help=True, rich_markup_mode="markdown")


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(
        epilog="Examples: `naru watch examples/flights`, and for cron `naru watch examples/flights --once`",
        rich_help_panel=LOOP_PANEL,
    )(watch)
    message = "What may start a run, what was decided and why: ls, fire, reset."
    app.add_typer(_group, help=message, rich_help_panel=LOOP_PANEL)


def watch(
    project: ProjectPath = Path(),
    once: Annotated[
        bool, typer.Option("--once", help="Look once, for cron: start at most one run, and wait for it.")
    ] = False,
    every: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds between two looks.")] = 60.0,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Decide here, and run on the server of KF_PIPELINES_ENDPOINT.")
    ] = False,
) -> None:
    """Watch the source, the clock and the monitor's results, and start runs by the triggers of project.yaml."""
    from components._core.project.project_file import load_project
    from pipelines.local.watch import LocalWatcher

    triggers = load_project(project).triggers
    if not triggers.on and not triggers.schedules:
        remedy = "add some below triggers.on, as in {name: data, new_data: {}}; `naru schema` describes them"
        raise ConfigError("the project has no triggers", where=str(project), remedy=remedy)
    watcher = _open_cluster_watcher(project) if cluster else LocalWatcher(project, typer.echo)
    holder = _look(watcher, every=None if once else every)
    if holder is not None:
        message = f"another naru watch (process {holder}) watches this project"
        if not once:
            raise ConfigError(message, where=str(project), remedy="one is enough; end it first to start another")
        typer.echo(f"{message}: nothing to do")


@_group.command()
def ls(
    project: ProjectPath = Path(),
    everything: Annotated[bool, typer.Option("--all", help="All records, not only the newest 20.")] = False,
) -> None:
    """List the triggers, and the newest decisions: what started a run, what did not, and why."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipelines.local.trigger_requests import list_triggers

    triggers, decisions = list_triggers(project, everything)
    console = Console(highlight=False)
    for columns, rows in (
        (("trigger", "kind", "settings", "last run"), triggers),
        (("number", "when", "what", "trigger", "why", "run"), decisions),
    ):
        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
    if not triggers:
        typer.echo("project.yaml has no triggers")


@_group.command(epilog="Example: `naru triggers fire asked examples/flights --evidence s3://bucket/labels/2026-03.csv`")
def fire(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The trigger's name.")],
    project: ProjectPath = Path(),
    evidence: Annotated[
        str, typer.Option(metavar="URI", help="A file that is the reason; the same content requests only one run.")
    ] = "",
    record_only: Annotated[
        bool,
        typer.Option("--record-only", help="Start nothing here: a naru watch elsewhere does, as on a cluster."),
    ] = False,
) -> None:
    """Request a run, as a webhook does: recorded first, then started here unless a `naru watch` is running."""
    from pipelines.local.trigger_requests import request_run
    from pipelines.local.watch import LocalWatcher

    typer.echo(request_run(project, name, evidence))
    if record_only:
        return
    holder = _look(LocalWatcher(project, typer.echo), every=None)
    if holder is not None:
        typer.echo(f"naru watch (process {holder}) is at work and looks at it next")


@_group.command()
def reset(project: ProjectPath = Path()) -> None:
    """Close the breaker, which opens after breaker.runs triggered runs in a row without a promotion: runs may start again."""
    from pipelines.local.trigger_requests import reset_breaker

    typer.echo(reset_breaker(project))


def _open_cluster_watcher(project: Path) -> ProjectWatcher:
    from pipelines.cli.kfp import open_server
    from pipelines.kfp.cluster_watch import ProjectWatcher

    return ProjectWatcher(project, typer.echo, lambda: open_server([project], "training"))


def _look(watcher: LocalWatcher | ProjectWatcher, every: float | None) -> str | None:
    """Look, once or for ever; returns the process that watches the project already, and looks not at all then."""
    from pipelines.local.file_lock import read_holder, try_lock

    path = watcher.workspace.home / "watch.lock"
    lock = try_lock(path)
    if lock is None:
        return read_holder(path)
    with lock:
        if every is None:
            watcher.look()
        else:
            watcher.run(every)
    return None
