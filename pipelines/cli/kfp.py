"""`naru plan|apply|prune|submit`: apply the projects in git to a KFP server, and start runs on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.errors import INTERRUPTED_EXIT_CODE, ConfigError, NaruError
from components._core.suggestions import suggest

if TYPE_CHECKING:  # imported at run time only by the command that needs it
    from components._kfp.server_state import Server
    from pipelines.kfp.apply_changes import Change
    from pipelines.kfp.desired_state import DesiredPipeline

_PANEL = "A KFP server (KF_PIPELINES_ENDPOINT)"

Projects = Annotated[
    list[Path] | None,
    typer.Argument(help="Project folders.", show_default="all projects that git tracks in this repository"),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(rich_help_panel=_PANEL, epilog="Exits with 1 if there are changes.")(plan)
    app.command(rich_help_panel=_PANEL)(apply)
    app.command(rich_help_panel=_PANEL)(prune)
    example = "Example: `naru submit examples/flights --param spans=1-12 --cause 'December is here' --wait`"
    app.command(rich_help_panel=_PANEL, epilog=example)(submit)


def plan(projects: Projects = None) -> None:
    """Show what apply and prune would change, without changing anything."""
    from pipelines.kfp import apply_changes, prune_objects

    with open_server(projects or []) as (server, desired):
        due = _print_changes(apply_changes.apply(server, desired, dry=True))
        due += _print_changes(prune_objects.prune(server, desired, everything=not projects, dry=True), " (by prune)")
    if due:
        raise typer.Exit(1)
    typer.echo("nothing would change")


def apply(projects: Projects = None) -> None:
    """Create or update pipelines, versions and schedules on the server; a second time changes nothing, and no run is stopped."""
    from pipelines.kfp import apply_changes

    counted: Counter[str] = Counter()
    with open_server(projects or []) as (server, desired):
        for change in apply_changes.apply(server, desired, dry=False):
            counted[change.action] += 1
            if change.action != "keep":
                typer.echo(change)
    typer.echo(f"{server.address}: {counted.total() - counted['keep']} changed, {counted['keep']} unchanged")


def prune(projects: Projects = None) -> None:
    """Remove Naru's objects that are no longer in git. Without PROJECTS, also the pipelines of deleted projects."""
    from pipelines.kfp import prune_objects

    with open_server(projects or []) as (server, desired):
        done = _print_changes(prune_objects.prune(server, desired, everything=not projects, dry=False))
    typer.echo(f"{server.address}: {done} removed")


def submit(
    project: Annotated[Path, typer.Argument(help="The project's folder.")],
    pipeline: Annotated[
        str,
        typer.Option(
            help="Which of the project's pipelines: training, prediction, monitoring, feedback, livetest or watch."
        ),
    ] = "training",
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A pipeline parameter, by its name in the KFP UI.")
    ] = None,
    cause: Annotated[
        str, typer.Option(help="Reason for the run, recorded with the run, its version and its deployment.")
    ] = "manual",
    follow: Annotated[
        bool, typer.Option("--wait", help="Wait for the run to end, and exit with its exit code.")
    ] = False,
    cache: Annotated[
        bool, typer.Option(help="Reuse the results of stages that are unchanged since an earlier run.")
    ] = True,
) -> None:
    """Start a run on the server."""
    from pipelines.kfp.submit_run import read_parameters, run_url, submit

    with open_server([project], pipeline) as (server, desired):
        given = read_parameters(desired[0], param or [])
        started = submit(server, desired[0], given, cause=cause, cache=cache)
    for note in started.notes:
        typer.echo(note)
    typer.echo(f"run {started.name} ({started.id})\n{run_url(server, started.id)}".rstrip())
    if follow:
        raise typer.Exit(_follow_run(server, started.id))


def _follow_run(server: Server, run_id: str) -> int:
    """Wait for a run and print how it ended; returns its exit code."""
    from components._kfp.server_state import final_state
    from pipelines.kfp.failure_reasons import find_reason
    from pipelines.kfp.run_durations import duration_lines
    from pipelines.kfp.run_watch import wait_for_run

    try:
        run = wait_for_run(server, run_id, typer.echo)
    except KeyboardInterrupt:
        typer.echo(f"\nstopped waiting; the run continues: {run_id}", err=True)
        return INTERRUPTED_EXIT_CODE
    except NaruError as error:
        message = f"{error.message}; the run {run_id} continues"
        raise type(error)(message, where=error.where, remedy=error.remedy) from None
    state = final_state(run)
    typer.echo("\n".join([*duration_lines(server, run), state.lower()]))
    if state == "FAILED":
        reason = find_reason(server, run)
        typer.echo(f"naru: {reason.stage or 'the run'}: {reason.text}", err=True)
        return reason.exit_code
    return INTERRUPTED_EXIT_CODE if state == "CANCELED" else 0


@contextmanager
def open_server(projects: list[Path], kind: str = "") -> Iterator[tuple[Server, list[DesiredPipeline]]]:
    """Connect to the server that the environment names, and compile the projects: all of their pipelines, or those of one kind."""
    from components._kfp.connection import Connection
    from components._kfp.kfp_client import KfpClient
    from components._kfp.server_state import Server
    from pipelines.graphs.pipelines import PIPELINES
    from pipelines.kfp.desired_state import find_projects, read_desired_pipelines

    if kind and kind not in PIPELINES:
        raise ConfigError(f"there is no pipeline {kind!r}; {suggest(kind, tuple(PIPELINES))}", where="--pipeline")
    kinds = (PIPELINES[kind],) if kind else tuple(PIPELINES.values())
    connection = Connection.from_environment()
    server = Server(KfpClient(connection))
    with read_desired_pipelines(find_projects(projects), connection, kinds) as desired:
        if kind and not desired:
            remedy = "a project has monitoring with serve.request_log or monitor, feedback with feedback, watch with triggers.on"
            raise ConfigError(f"the project has no pipeline {kind!r}", where=str(projects[0]), remedy=remedy)
        for remark in dict.fromkeys(remark for one in desired for remark in one.remarks):
            typer.echo(f"naru: {remark}", err=True)
        yield server, desired


def _print_changes(changes: Iterable[Change], by: str = "") -> int:
    """Print changes as they come; returns their number, unchanged and waiting objects left out."""
    counted = 0
    for change in changes:
        if change.action != "keep":
            typer.echo(f"{change}{by}")
        counted += change.action not in ("keep", "wait")
    return counted
