"""`naru plan|apply|prune|submit`: a KFP server, brought to what git says, and one run on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.errors import INTERRUPTED_EXIT_CODE, NaruError

if TYPE_CHECKING:  # what they import is paid for by the command that needs it
    from pipelines.kfp.apply_changes import Change
    from pipelines.kfp.desired_state import Wanted
    from pipelines.kfp.server_state import Server

_PANEL = "A KFP server (KF_PIPELINES_ENDPOINT)"

Projects = Annotated[
    list[Path] | None, typer.Argument(help="Projects' folders.", show_default="all that git knows in this repository")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(rich_help_panel=_PANEL, epilog="Ends with 1 when something is due.")(plan)
    app.command(rich_help_panel=_PANEL)(apply)
    app.command(rich_help_panel=_PANEL)(prune)
    example = "Example: `naru submit examples/flights --param spans=1-12 --cause 'December is here' --wait`"
    app.command(rich_help_panel=_PANEL, epilog=example)(submit)


def plan(projects: Projects = None) -> None:
    """Say what apply and prune would do, and do nothing."""
    from pipelines.kfp import apply_changes, prune_objects

    with _opened(projects or []) as (server, wanted):
        due = _tell(apply_changes.apply(server, wanted, dry=True))
        due += _tell(prune_objects.prune(server, wanted, everything=not projects, dry=True), " (by prune)")
    if due:
        raise typer.Exit(1)
    typer.echo("nothing would change")


def apply(projects: Projects = None) -> None:
    """Bring pipelines, versions and schedules to the server; a second time changes nothing, and no run is ended."""
    from pipelines.kfp import apply_changes

    counted: Counter[str] = Counter()
    with _opened(projects or []) as (server, wanted):
        for change in apply_changes.apply(server, wanted, dry=False):
            counted[change.action] += 1
            if change.action != "keep":
                typer.echo(change)
    typer.echo(f"{server.address}: {counted.total() - counted['keep']} changed, {counted['keep']} as they were")


def prune(projects: Projects = None) -> None:
    """Remove what is ours and no longer in git. Without PROJECTS, also the pipelines of projects that are gone."""
    from pipelines.kfp import prune_objects

    with _opened(projects or []) as (server, wanted):
        done = _tell(prune_objects.prune(server, wanted, everything=not projects, dry=False))
    typer.echo(f"{server.address}: {done} removed")


def submit(
    project: Annotated[Path, typer.Argument(help="The project's folder.")],
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the pipeline, as its page names it.")
    ] = None,
    cause: Annotated[str, typer.Option(help="Why: kept with the run, its version and its deployment.")] = "manual",
    follow: Annotated[bool, typer.Option("--wait", help="Follow it to its end, and end as it does.")] = False,
    cache: Annotated[bool, typer.Option(help="Reuse stages that nothing has changed for since an earlier run.")] = True,
) -> None:
    """Start one run on the server."""
    from pipelines.kfp.submit_run import link_to, read_parameters, submit

    with _opened([project]) as (server, wanted):
        given = read_parameters(wanted[0], param or [])
        started = submit(server, wanted[0], given, cause=cause, cache=cache)
    for note in started.notes:
        typer.echo(note)
    typer.echo(f"run {started.name} ({started.id})\n{link_to(server, started.id)}".rstrip())
    if follow:
        raise typer.Exit(_follow(server, started.id))


def _follow(server: Server, run_id: str) -> int:
    """Wait for a run and tell how it ended; the exit code is its own."""
    from pipelines.kfp.failure_reasons import find_reason
    from pipelines.kfp.run_durations import spent_lines
    from pipelines.kfp.run_watch import end_of, wait

    try:
        run = wait(server, run_id, typer.echo)
    except KeyboardInterrupt:
        typer.echo(f"\nno longer waiting; the run goes on: {run_id}", err=True)
        return INTERRUPTED_EXIT_CODE
    except NaruError as error:
        message = f"{error.message}; the run {run_id} goes on"
        raise type(error)(message, where=error.where, remedy=error.remedy) from None
    state = end_of(run)
    typer.echo("\n".join([*spent_lines(server, run), state.lower()]))
    if state == "FAILED":
        reason = find_reason(server, run)
        typer.echo(f"naru: {reason.stage or 'the run'}: {reason.text}", err=True)
        return reason.exit_code
    return INTERRUPTED_EXIT_CODE if state == "CANCELED" else 0


@contextmanager
def _opened(projects: list[Path]) -> Iterator[tuple[Server, list[Wanted]]]:
    """The server of the environment, and what the projects' files come to."""
    from pipelines.kfp.connection import Connection
    from pipelines.kfp.desired_state import find_projects, read_wanted
    from pipelines.kfp.kfp_client import Kfp
    from pipelines.kfp.server_state import Server

    connection = Connection.from_environment()
    server = Server(Kfp(connection))
    with read_wanted(find_projects(projects), connection) as wanted:
        for remark in dict.fromkeys(remark for one in wanted for remark in one.remarks):
            typer.echo(f"naru: {remark}", err=True)
        yield server, wanted


def _tell(changes: Iterable[Change], by: str = "") -> int:
    """Print changes as they come; returns how many there were."""
    counted = 0
    for change in changes:
        if change.action != "keep":
            typer.echo(f"{change}{by}")
        counted += change.action not in ("keep", "wait")
    return counted
