"""`naru predict`: answer the rows of a table with a deployed version of a project's model."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.errors import ConfigError
from components._core.types.variant_table import ORIGINAL, in_words
from pipelines.cli.arguments import STARTED, ProjectPath

if TYPE_CHECKING:
    from components._core.project.project_file import Project
    from components.predict.predict import Prediction

_PANEL = "Serving"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(
        epilog="Examples: `naru predict examples/flights --source new.parquet --output answers.parquet`, "
        "`naru predict examples/flights --source s3://bucket/new/ --output s3://bucket/answers --format csv`",
        rich_help_panel=_PANEL,
    )(predict)


def predict(
    project: ProjectPath = Path(),
    source: Annotated[
        str,
        typer.Option(
            help="The table: any file, folder, address or database that data.source can name.",
            show_default="the project's",
        ),
    ] = "",
    output: Annotated[
        str,
        typer.Option(
            help="A file that ends in .parquet, .csv or .jsonl, or a folder of parts; a path, s3:// or gs://; or a database, as in "
            "sqlite:///answers.db.",
            show_default=False,
        ),
    ] = "",
    version: Annotated[
        str, typer.Option(help="Version that answers: `champion`, or the number of a deployed one.")
    ] = "champion",
    spans: Annotated[str, typer.Option(help="Spans to read, as in data.spans.", show_default="all")] = "",
    source_table: Annotated[str, typer.Option(help="The table of a database, as in schema.flights.")] = "",
    source_query: Annotated[str, typer.Option(help="A SELECT of a database instead of a table.")] = "",
    output_table: Annotated[str, typer.Option(help="Table of a database that the answers go to.")] = "",
    format_: Annotated[
        str, typer.Option("--format", help="Format of a folder's parts: parquet, csv or jsonl; default: parquet.")
    ] = "",
    prefix: Annotated[
        str,
        typer.Option(help="Prefix of the added columns' names, for a table that has columns of these names."),
    ] = "",
    replace: Annotated[bool, typer.Option(help="Replace predictions of other rows, versions or settings.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only the manifest, as one JSON object, on standard output.")
    ] = False,
) -> None:
    """Predict each row of a table as the server would, and write it with the model's outputs, its version and an id.

    Rows that the server would refuse are written to a file of their own, with their position and the error code. A command that was killed
    continues where it was.
    """
    from components._core.project.project_file import load_project
    from components.predict.destinations.contract import Output
    from components.predict.predict import check_answered
    from components.predict.scoring_table import parse_sql
    from pipelines.batch_prediction import predict_here

    if not output:
        raise ConfigError("is missing", where="--output", remedy="name a file or a folder for the answers")
    where = Output(output, format_, output_table, prefix, replace)
    sql = parse_sql(source_table, source_query)
    done = predict_here(project, source, where, version, spans, sql, _show_progress)
    if as_json:
        typer.echo(json.dumps(done.manifest, sort_keys=True, ensure_ascii=False))
    else:
        _print(done, output, load_project(project))
    check_answered(done)


def _show_progress(answered: int, rejected: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{answered:,} rows answered, {rejected:,} rejected", err=True, nl=False)


def _print(done: Prediction, output: str, project: Project) -> None:
    from components._core.types.tasks import TASKS

    manifest = done.manifest
    if sys.stderr.isatty():
        typer.echo("\r\033[K", err=True, nl=False)
    for note in done.notes:
        typer.echo(f"naru: warning: {note}", err=True)
    codes = ", ".join(f"{code} {count:,}" for code, count in manifest["rejected_by_code"].items())
    rejected = f"{manifest['rejected']:,} rejected" + (f" ({codes})" if codes else "")
    version = f"version {manifest['version']} of {manifest['project']}{in_words(manifest.get('variant', ORIGINAL))}"
    typer.echo(f"{manifest['answered']:,} rows answered by {version}, {rejected}")
    if manifest["metrics"]:
        metrics = {name: value for name, value in manifest["metrics"].items() if value is not None}
        names = TASKS[project.task].primary_first(metrics, project.primary_metric().name)
        shown = ", ".join(f"{name} {metrics[name]:.4g}" for name in names)
        of = "" if manifest["measured"] == manifest["labelled"] else f", measured on {manifest['measured']:,}"
        typer.echo(f"{shown} ({manifest['labelled']:,} labelled rows{of})")
    if done.was_complete:
        typer.echo(f"{output} had all of it already: nothing was done")
    else:
        typer.echo(f"{output} ({time.perf_counter() - STARTED:.1f} s)")
