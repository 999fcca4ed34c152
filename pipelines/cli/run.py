"""`naru run|runs|report|ablate|backtest`: run pipelines on this machine, look at past runs, and train again without columns or spans."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.credentials import mask_credentials
from components._core.errors import ConfigError, NaruError, first_line
from components._core.suggestions import suggest
from pipelines.cli.arguments import STARTED, ProjectPath, Settings, parse_settings
from pipelines.graphs.pipelines import TRAINING

if TYPE_CHECKING:  # imported at run time only by the command that needs it
    from pipelines.local.workspace import Workspace

_PANEL = "On this machine"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(
        epilog="Example: `naru run examples/flights --spans 1-12 --set train.epochs=3`", rich_help_panel=_PANEL
    )(run)
    app.command(
        epilog="Examples: `naru runs examples/flights`, `naru runs examples/flights f522 last`", rich_help_panel=_PANEL
    )(runs)
    app.command(rich_help_panel=_PANEL)(report)
    app.command(
        epilog="Examples: `naru ablate examples/flights`, `naru ablate examples/flights --without origin,hour --seeds 5`",
        rich_help_panel=_PANEL,
    )(ablate)
    app.command(
        epilog="Examples: `naru backtest examples/flights`, `naru backtest examples/flights --window 6 --models 4`",
        rich_help_panel=_PANEL,
    )(backtest)


def run(
    project: ProjectPath = Path(),
    spans: Annotated[
        str,
        typer.Option(
            help="Spans to read: `all`, `last 3`, `7`, `1-11`, `1,2,5`; by date `2024-06`, `2024-01..2024-06`, `since 90d`."
        ),
    ] = "",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of passes over the training rows.", show_default="the project's"),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=0, help="Number of models to try when tuning.", show_default="the project's")
    ] = None,
    settings: Settings = None,
    begin: Annotated[
        str,
        typer.Option("--from", metavar="STAGE", help="Rerun this stage and the later ones; reuse the earlier ones."),
    ] = "",
    cache: Annotated[
        bool, typer.Option(help="Reuse the results of stages that are unchanged since an earlier run.")
    ] = True,
    cause: Annotated[
        str, typer.Option(help="Reason for the run, recorded with the run, its version and its deployment.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only the outcome, as one JSON object, on standard output.")
    ] = False,
) -> None:
    """Run the training pipeline on this machine: from the data to a deployed version and a report."""
    from pipelines.local.session import run_session

    overrides = parse_settings(settings or [])
    named = {"data.spans": spans or None, "train.epochs": epochs, "tune.trials": trials}
    overrides.update({place: value for place, value in named.items() if value is not None})
    fresh_from = _check_stage(begin) if cache else TRAINING.stage_names[0]
    code = run_session(
        project, overrides, fresh_from=fresh_from, as_json=as_json, started=STARTED, cause=mask_credentials(cause)
    )
    raise typer.Exit(code)


def runs(
    project: ProjectPath = Path(),
    compare: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN RUN]", help="Two runs to compare; `last` is the newest."),
    ] = None,
) -> None:
    """List the runs of a project, or compare two of them."""
    from rich.console import Console

    from pipelines.local.run_history import find_run, print_comparison, print_runs, read_runs
    from pipelines.local.workspace import find_workspace

    workspace = find_workspace(project)
    workspace.check_project()
    past = read_runs(workspace)
    if not compare:
        print_runs(Console(highlight=False), past)
        _print_waiting(project, workspace)
        return
    if len(compare) != 2:
        raise ConfigError(f"found {len(compare)} run names; name none, or two to compare", where="naru runs")
    one, other = (find_run(past, name) for name in compare)
    print_comparison(Console(highlight=False), one, other)


def report(project: ProjectPath = Path()) -> None:
    """Print the path of the newest run's report."""
    from pipelines.local.workspace import find_workspace

    typer.echo(find_workspace(project).last_report())


def ablate(
    project: ProjectPath = Path(),
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="A column to leave out; several with commas, or the option again. Default: the proposed ones."
        ),
    ] = None,
    proposed: Annotated[
        int | None,
        typer.Option(
            min=1, help="Leave out this many of the columns that explain proposes, the least important first."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=20, help="Models to train with all columns, and as many without.")
    ] = 5,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Loss in the project's metric that does not matter.",
            show_default="2 % of what the model gains over no model",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only the result, as one JSON object, on standard output.")
    ] = False,
) -> None:
    """Train the last run's model again without some columns, and say whether it is as good; registers nothing."""
    from pipelines.local.ablation_session import run_ablation

    if without and proposed:
        raise ConfigError("give --without or --proposed, not both", where="naru ablate")
    run_ablation(project, without or [], proposed, seeds=seeds, margin=margin, as_json=as_json)


def backtest(
    project: ProjectPath = Path(),
    models: Annotated[
        int, typer.Option(min=1, max=100, help="Models to train at most: as of the newest spans that have a later one.")
    ] = 6,
    window: Annotated[
        int, typer.Option(min=0, help="Spans that each model is trained on.", show_default="all before")
    ] = 0,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Loss in the project's metric that does not matter.",
            show_default="2 % of what fresh models gain over no model",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only the result, as one JSON object, on standard output.")
    ] = False,
) -> None:
    """Train the last run's model as of earlier spans, and measure what it loses as it gets older; registers nothing."""
    from pipelines.local.backtest_session import run_backtest

    run_backtest(project, models=models, window=window, margin=margin, as_json=as_json)


def _print_waiting(project: Path, workspace: Workspace) -> None:
    """Print what waits for an approval; runs are listed also where the store cannot be reached."""
    from datetime import UTC, datetime

    from components._core.project.project_file import load_project
    from components._core.store.approvals import find_waiting
    from pipelines.approval import describe_waiting

    try:
        waiting = find_waiting(workspace.settings().store, load_project(project).name, datetime.now(UTC))
    except NaruError as error:
        typer.echo(f"naru: warning: what waits for an approval cannot be read: {first_line(error)}", err=True)
        return
    for request in waiting:
        typer.echo(describe_waiting(request, shlex.quote(str(project))))


def _check_stage(name: str) -> str:
    if name and name not in TRAINING.stage_names:
        raise ConfigError(f"there is no stage {name!r}; {suggest(name, TRAINING.stage_names)}", where="--from")
    return name
