"""`naru new|import|compile|lint-spec|schema`: create a project, take a model into it, compile it, and check what it compiles to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.arguments import STARTED, PoolsFile, ProjectPath, Registry, Settings, Tag, parse_settings

_PANEL = "A project"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(epilog="Example: `naru new churn --data customers.csv --label churned`", rich_help_panel=_PANEL)(new)
    app.command(
        name="import",
        epilog="Example: `naru import churn ~/models/churn.onnx --set 'model.inputs.X=[age, tenure]'`",
        rich_help_panel=_PANEL,
    )(import_)
    app.command(
        name="compile", epilog="Example: `naru compile examples/flights --output build`", rich_help_panel=_PANEL
    )(compile_)
    app.command(name="lint-spec", epilog="Example: `naru lint-spec build/training.yaml`", rich_help_panel=_PANEL)(
        lint_spec_
    )
    app.command(rich_help_panel=_PANEL)(schema)


def new(
    folder: Annotated[Path, typer.Argument(help="The folder to create.", readable=False)],
    data: Annotated[
        str,
        typer.Option(
            help="Your table: a file or folder, s3://, gs://, https://, delta://, or a database as in "
            "'postgresql://${DATABASE_URL}' or sqlite:///t.db."
        ),
    ],
    label: Annotated[str, typer.Option(help="The column to predict.")],
    table: Annotated[str, typer.Option(help="The table of a database, as in schema.flights.")] = "",
    query: Annotated[str, typer.Option(help="A SELECT of a database instead of a table.")] = "",
    sep: Annotated[
        str, typer.Option(help="The character between the cells of a CSV, as in ';' or tab; default: as detected.")
    ] = "",
    encoding: Annotated[
        str, typer.Option(help="The encoding of a CSV, as in cp949 or utf-16; default: as detected.")
    ] = "",
    quote: Annotated[
        str | None,
        typer.Option(help="The character that encloses a cell with separators or line breaks; '' for none."),
    ] = None,
    escape: Annotated[
        str | None,
        typer.Option(help="The character that escapes a quote in a cell, as \\ in files of Spark and MySQL."),
    ] = None,
    task: Annotated[
        str, typer.Option(help="The task: binary_classification, multiclass_classification or regression.")
    ] = "",
    positive: Annotated[str, typer.Option(help="The label's value that counts as positive.")] = "",
    drop: Annotated[
        list[str] | None, typer.Option(help="A column to leave out; several with commas, or the option again.")
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="A column that identifies rows; several as with --drop.")
    ] = None,
    group: Annotated[str, typer.Option(help="A column whose rows with equal values belong together.")] = "",
    time_: Annotated[
        str, typer.Option("--time", help="A column with the time of a row: the newest rows are the test.")
    ] = "",
    date_order: Annotated[str, typer.Option(help="How dates such as 01/02/03 are read: dmy, mdy or ymd.")] = "",
    sample: Annotated[int, typer.Option(min=0, help="Rows that are sampled to judge what columns are; 0: 20,000.")] = 0,
    model: Annotated[
        str,
        typer.Option(
            help="The kind of model: keras, torch (PyTorch), linear or boosted (trees); torch needs the extra of that name, the last two sklearn."
        ),
    ] = "keras",
) -> None:
    """Analyze a table and generate a project that runs as it is."""
    from rich.console import Console

    from pipelines.scaffold import new_project
    from pipelines.scaffold.choices import Choices
    from pipelines.scaffold.create_project import parse_csv
    from pipelines.scaffold.summary import print_created
    from pipelines.scaffold.table_location import TableLocation

    choices = Choices.parse(task, drop, ids, group, time_, positive, date_order, sample, model)
    options = parse_csv(quote, escape, sep, encoding)
    location = TableLocation.parse(data, table, query)
    print_created(Console(), new_project(folder, data=location, label=label, csv=options, choices=choices))


def import_(
    project: Annotated[Path, typer.Argument(help="The project's folder, or its project.yaml.", readable=False)],
    model: Annotated[Path, typer.Argument(help="An ONNX file, wherever it was trained.", readable=False)],
    preprocessing: Annotated[
        bool,
        typer.Option("--preprocessing", help="Keep the project's preprocessing_fn, which makes the file's inputs."),
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field below model, as in 'model.inputs.X=[age, tenure]'."),
    ] = None,
) -> None:
    """Take a model that was trained elsewhere (ONNX) into a project; runs then evaluate, register and deploy it like any other.

    Checks the file, finds which columns its inputs take, copies it to model.onnx and writes code and model into project.yaml.
    """
    from pipelines.scaffold.import_model import import_model
    from pipelines.scaffold.import_summary import describe_import

    for line in describe_import(import_model(project, model, parse_settings(settings or []), prepared=preprocessing)):
        typer.echo(line)


def compile_(
    project: ProjectPath = Path(),
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("build"),
    settings: Settings = None,
    registry: Registry = "",
    tag: Tag = "",
    profile: Annotated[
        str, typer.Option(help="Profile of the pools file: which pool each stage runs on; also NARU_PROFILE.")
    ] = "",
    pools: PoolsFile = "",
) -> None:
    """Write the pipelines as KFP v2 YAML with the project's values as defaults, and the code archive beside them."""
    from pipelines.compile_target import Target
    from pipelines.compiler import compile_project

    target = Target.from_environment(registry=registry, tag=tag, profile=profile, pools=pools).with_digest_lookup()
    written = compile_project(project, output, parse_settings(settings or []), target)
    for path in written:
        typer.echo(path)
    for remark in target.remarks():
        typer.echo(f"naru: {remark}", err=True)
    spent = f"{time.perf_counter() - STARTED:.1f} s"
    typer.echo(f"{written[0].name}: {written[0].stat().st_size / 1000:.1f} KB, compiled in {spent}", err=True)


def lint_spec_(file: Annotated[Path, typer.Argument(help="A compiled pipeline.", readable=False)]) -> None:
    """Check a compiled pipeline for settings that do harm on a cluster; `naru compile` does so too."""
    from pipelines.spec_lint import lint_spec

    lint_spec(file)
    typer.echo(f"{file}: no violations")


def schema() -> None:
    """Print the JSON Schema of project.yaml, which editors use: every field with its meaning."""
    from pipelines.compiler import project_schema

    typer.echo(project_schema(), nl=False)
