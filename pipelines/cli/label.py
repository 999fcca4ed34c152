"""`naru label export|import|agree|next`: rows go out to annotators, and their labels come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.errors import ConfigError
from pipelines.cli.arguments import ProjectPath

if TYPE_CHECKING:  # imported at run time only by the command that needs it
    from pipelines.labelling.work_lists import WorkList

_PANEL = "Data"
_BLOCKED = 5
_group = typer.Typer(name="label", no_args_is_help=True, rich_markup_mode="markdown")

Format = Annotated[
    str, typer.Option("--format", help="label-studio, coco or csv; default: by the file.", show_default=False)
]
Url = Annotated[str, typer.Option(help="Label Studio server; its token is in NARU_LABEL_STUDIO_TOKEN.")]
Output = Annotated[Path | None, typer.Option("--output", help="The list's file, as in work.json or work.csv.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    message = "Rows to annotators, and their labels back: export, import, agree, next."
    app.add_typer(_group, help=message, rich_help_panel=_PANEL)


@_group.command(epilog="Example: `naru label export reviews --source new.csv --output work.json`")
def export(
    project: ProjectPath = Path(),
    output: Output = None,
    source: Annotated[
        str, typer.Option(help="The table of the rows.", show_default="labels.source, else data.source")
    ] = "",
    format_: Format = "",
    rows: Annotated[int, typer.Option(min=0, help="Most rows, the first ones; 0: all without a label.")] = 0,
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="The items on which annotators are divided, with what they said.")
    ] = False,
    url: Url = "",
) -> None:
    """Write rows without a label as a work list: Label Studio's JSON, COCO for pictures, or CSV; or send it to a server."""
    from pipelines.labelling.work_lists import Target, export_rows, export_ties

    target = Target(output, format_, url)
    _print(export_ties(project, target) if adjudicate else export_rows(project, target, source, rows))


@_group.command(
    name="import",
    epilog="Examples: `naru label import done.json reviews`, `naru label import reviews --url https://labels.example.com`",
)
def import_(
    file: Annotated[
        Path | None, typer.Argument(help="Label Studio's JSON, COCO or CSV; left out with --url.", show_default=False)
    ] = None,
    project: Annotated[
        Path | None, typer.Argument(help="The project's folder, or its project.yaml.", show_default=".", readable=False)
    ] = None,
    format_: Format = "",
    annotator: Annotated[str, typer.Option(help="Who gave the labels of which the file does not say it.")] = "",
    url: Url = "",
) -> None:
    """Keep the labels of a file or server, and write rows with a label as the next span; the same again changes nothing."""
    from pipelines.labelling.imports import import_file, import_server

    if url:
        if project is not None:
            raise ConfigError("give a file or --url, not both", where="naru label import")
        lines = import_server(file or Path(), url)
    elif file is None:
        raise ConfigError(
            "is missing", where="FILE", remedy="name the file with labels, or --url of a Label Studio server"
        )
    else:
        lines = import_file(project or Path(), file, format_, annotator)
    for line in lines:
        typer.echo(line)


@_group.command(epilog="Example: `naru label agree reviews`")
def agree(
    project: ProjectPath = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Show how far annotators agree; ends with exit code 5 when alpha is below labels.min_alpha."""
    from pipelines.labelling.agreement import describe_agreement, measure_project

    report = measure_project(project)
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False, sort_keys=True))
    else:
        for line in describe_agreement(report):
            typer.echo(line)
    if report.check.status == "fail":
        raise typer.Exit(_BLOCKED)


@_group.command(name="next", epilog="Example: `naru label next reviews --rows 200 --output work.json`")
def next_(
    project: ProjectPath = Path(),
    output: Output = None,
    rows: Annotated[int, typer.Option(help="Rows of the list.")] = 200,
    source: Annotated[
        str, typer.Option(help="The table of the rows.", show_default="labels.source, else data.source")
    ] = "",
    log: Annotated[
        str, typer.Option(metavar="TIME", help="Select from the request log of this time, as in 7d, or all.")
    ] = "",
    by: Annotated[str, typer.Option(help="Uncertainty: margin or entropy.")] = "margin",
    format_: Format = "",
    url: Url = "",
) -> None:
    """Select the rows to label next: uncertain ones, some that drifted, and a random part that keeps estimates unbiased."""
    from pipelines.labelling.next_rows import NextOptions, next_rows
    from pipelines.labelling.work_lists import Target

    _print(next_rows(project, NextOptions(rows, source, log, by), Target(output, format_, url)))


def _print(made: WorkList) -> None:
    for line in made.lines:
        typer.echo(line)
    for place in made.places:
        typer.echo(place)
    if made.places:
        typer.echo(f"{made.rows.num_rows:,} rows to label")
