"""The command line: `naru`, also `python -m pipelines`.

Everything heavy is imported by the command that needs it, so `naru --help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from components import STAGES
from components._core.errors import INTERRUPTED_EXIT_CODE, ConfigError, NaruError
from components._core.suggestions import suggest
from components._core.system_errors import from_system
from pipelines.cli import kfp as gitops
from pipelines.cli.cluster import app as cluster

_EPILOG = "Exit codes: 0 well (also when a model gate said no), 2 config, 3 code, 4 data, 5 data blocked, 6 model, 7 service, 8 unavailable, 130 interrupted."

app = typer.Typer(
    name="naru",
    help="From a table to a served model, and back: ingest, validate, transform, tune, train, evaluate, explain, register, deploy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(
    cluster,
    help="Naru's own objects on the cluster of KUBECONFIG: deploy, diff, status, undeploy; seldon prints a model's.",
)

gitops.register(app)

# readable=False: whether a path may be read is found out, and told, where it is read
ProjectPath = Annotated[
    Path, typer.Argument(help="The project's folder, or its project.yaml.", show_default=True, readable=False)
]


@app.command(epilog="Example: `naru run examples/flights --spans 1-12 --set train.epochs=3`")
def run(
    project: ProjectPath = Path(),
    spans: Annotated[str, typer.Option(help="Spans to read: `all`, `7`, `1-11`, `1,2,5`, `last 3`.")] = "",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training rows, at most.", show_default="the project's")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=0, help="Models to try when tuning.", show_default="the project's")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override any field of project.yaml, by its dotted place."),
    ] = None,
    begin: Annotated[
        str, typer.Option("--from", metavar="STAGE", help="Run this stage and those after it anew; reuse those before.")
    ] = "",
    cache: Annotated[bool, typer.Option(help="Reuse stages that nothing has changed for since an earlier run.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the outcome as one JSON object, and nothing else, on standard output.")
    ] = False,
) -> None:
    """Run the training pipeline on this machine: from the data to a deployed version and a report."""
    from pipelines.local.session import run_and_tell

    overrides = parse_settings(settings or [])
    named = {"data.spans": spans or None, "train.epochs": epochs, "tune.trials": trials}
    overrides.update({place: value for place, value in named.items() if value is not None})
    fresh_from = _stage(begin) if cache else STAGES[0]
    raise typer.Exit(run_and_tell(project, overrides, fresh_from=fresh_from, as_json=as_json, started=_STARTED))


@app.command(epilog="Example: `naru new churn --data customers.csv --label churned`")
def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make.", readable=False)],
    data: Annotated[Path, typer.Option(help="Your table: CSV with a header, or Parquet.", readable=False)],
    label: Annotated[str, typer.Option(help="The column to predict.")],
    quote: Annotated[
        str, typer.Option(help="The character that encloses a cell with commas or line breaks; '' for none.")
    ] = '"',
    escape: Annotated[
        str,
        typer.Option(help="The character that makes a quote in a cell ordinary, as \\ in files of Spark and MySQL."),
    ] = "",
) -> None:
    """Look at a table and write a project for it that runs at once."""
    from rich.console import Console

    from pipelines.scaffold import new_project
    from pipelines.scaffold.create_project import parse_csv
    from pipelines.scaffold.summary import print_created

    print_created(Console(), new_project(folder, data=data, label=label, csv=parse_csv(quote, escape)))


@app.command(epilog="Example: `naru serve examples/flights --port 8081`")
def serve(
    project: ProjectPath = Path(),
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port on loopback; 0: any free one.", show_default="the project's"),
    ] = None,
) -> None:
    """Serve the champion on loopback until interrupted, and print a request that works."""
    from components._core.project.project_file import load_project
    from pipelines.serve import serve_champion

    loaded = load_project(project)
    raise typer.Exit(
        serve_champion(project if project.is_dir() else project.parent, loaded.serve.port if port is None else port)
    )


@app.command(epilog="Examples: `naru load examples/flights`, `naru load --clients 1,8,32 --rows 100 --seconds 5`")
def load(
    project: ProjectPath = Path(),
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port on loopback of a server that runs.", show_default="the project's"),
    ] = None,
    url: Annotated[str, typer.Option(help="Or where it answers, as http://HOST:PORT.")] = "",
    clients: Annotated[str, typer.Option(help="Clients that ask at the same time, one run for each number.")] = "1,8",
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long each run lasts.")] = 10.0,
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows in a request.")] = 1,
) -> None:
    """Load the server that `naru serve` runs, or the champion for that time, with real rows: requests per second, latencies, errors."""
    from rich.console import Console

    from pipelines.load_test import Target, load_server, parse_clients

    target = Target.of(port, url)
    raise typer.Exit(load_server(Console(highlight=False), project, target, parse_clients(clients), seconds, rows))


@app.command(epilog="Examples: `naru rollback examples/flights`, `naru rollback examples/flights --to 3`")
def rollback(
    project: ProjectPath = Path(),
    to: Annotated[str, typer.Option(help="The version.", show_default="the champion before the present one")] = "",
    registry: Annotated[str, typer.Option(help="Before the server image's name; also NARU_REGISTRY.")] = "",
    tag: Annotated[str, typer.Option(help="The image's version; also NARU_TAG.")] = "",
    pools: Annotated[str, typer.Option(metavar="FILE", help="The cluster's pools; also NARU_POOLS.")] = "",
) -> None:
    """Make an earlier champion the champion again; with NARU_SERVING=seldon on the cluster of KUBECONFIG first."""
    from pipelines.compile_target import Target
    from pipelines.rollback import roll_back

    done = roll_back(project, to, Target.from_environment(registry=registry, tag=tag, pools=pools))
    for line in done.seen:
        typer.echo(line)
    typer.echo(f"version {done.now} is the champion of {done.name}; it was {done.before}")


@app.command()
def ledger(project: ProjectPath = Path()) -> None:
    """Print who was in service when, what was tried on the way, by whom and why."""
    from rich.console import Console
    from rich.table import Table

    from pipelines.rollback import tell_ledgers

    table = Table("when", "by", "what", "shares", "why", box=None, pad_edge=False)
    for line in tell_ledgers(project):
        table.add_row(*line)
    Console().print(table)


@app.command()
def report(project: ProjectPath = Path()) -> None:
    """Print the path of the newest run's report."""
    from pipelines.local.workspace import find_workspace

    typer.echo(find_workspace(project).last_report())


@app.command(epilog="Examples: `naru runs examples/flights`, `naru runs examples/flights f522 last`")
def runs(
    project: ProjectPath = Path(),
    compare: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN RUN]", help="Two runs to hold side by side; `last` is the newest."),
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
        return
    if len(compare) != 2:
        raise ConfigError(f"found {len(compare)} run, and two can be compared", where="naru runs")
    one, other = (find_run(past, name) for name in compare)
    print_comparison(Console(highlight=False), one, other)


@app.command(name="compile", epilog="Example: `naru compile examples/flights --output build`")
def compile_(
    project: ProjectPath = Path(),
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("build"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override any field of project.yaml, by its dotted place."),
    ] = None,
    registry: Annotated[str, typer.Option(help="Before the images' names; also NARU_REGISTRY.")] = "",
    tag: Annotated[str, typer.Option(help="The images' version; also NARU_TAG.")] = "",
    profile: Annotated[str, typer.Option(help="Of the pools file: which stages run where; also NARU_PROFILE.")] = "",
    pools: Annotated[str, typer.Option(metavar="FILE", help="The cluster's pools; also NARU_POOLS.")] = "",
) -> None:
    """Write the pipeline as KFP v2 YAML with the project's values as defaults, and the code archive beside it."""
    from pipelines.compile_target import Target
    from pipelines.compiler import compile_project

    target = Target.from_environment(registry=registry, tag=tag, profile=profile, pools=pools).resolving()
    written = compile_project(project, output, parse_settings(settings or []), target)
    for path in written:
        typer.echo(path)
    for remark in target.remarks():
        typer.echo(f"naru: {remark}", err=True)
    spent = f"{time.perf_counter() - _STARTED:.1f} s"
    typer.echo(f"{written[0].name}: {written[0].stat().st_size / 1000:.1f} KB, compiled in {spent}", err=True)


@app.command(name="lint-spec", epilog="Example: `naru lint-spec build/training.yaml`")
def lint_spec_(file: Annotated[Path, typer.Argument(help="A compiled pipeline.", readable=False)]) -> None:
    """Refuse a compiled pipeline that would do harm on a cluster; `naru compile` does so by itself."""
    from pipelines.spec_lint import lint_spec

    lint_spec(file)
    typer.echo(f"{file}: no faults")


@app.command()
def schema() -> None:
    """Print the JSON Schema of project.yaml, which editors use: every field with its meaning."""
    from pipelines.compiler import project_schema

    typer.echo(project_schema(), nl=False)


def _stage(name: str) -> str:
    if name and name not in STAGES:
        raise ConfigError(f"there is no stage {name!r}; {suggest(name, STAGES)}", where="--from")
    return name


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """`["train.epochs=3"]` as `{"train.epochs": 3}`; a value is read as YAML.

    Raises:
        ConfigError: When one has no `=`, or its value is no YAML.
    """
    from components._core.project.yaml_text import parse_yaml

    parsed: dict[str, Any] = {}
    for setting in settings:
        place, equals, value = setting.partition("=")
        if not equals or not all(part.strip() for part in place.split(".")):
            raise ConfigError(
                f"found {setting!r}", where="--set", remedy="write FIELD=VALUE, as in --set train.epochs=3"
            )
        parsed[place.strip()] = parse_yaml(value, f"--set {setting}")
    return parsed


_STARTED = time.perf_counter()


def main() -> int:
    """Run the command line; an error of ours is printed without a traceback and ends with its own exit code."""
    code = _run()
    if code:
        _end(code)
    return code


def _run() -> int:
    try:
        app(standalone_mode=True)
    except NaruError as error:
        return _tell(error)
    except OSError as error:
        return _tell(from_system(error))
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except SystemExit as ended:  # typer ends every command so
        if not isinstance(ended.code, int):
            raise
        return ended.code
    return 0


def _end(code: int) -> NoReturn:
    """End without taking the interpreter apart: where a command broke off, Arrow's threads may read on, and they abort then."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it may be gone
            stream.flush()
    os._exit(code)


def _tell(error: NaruError) -> int:
    if "--json" in sys.argv:
        told = {"kind": error.kind, "message": error.message, "where": error.where, "remedy": error.remedy}
        print(json.dumps({"status": "failed", "exit_code": error.exit_code, "error": told}))
    print(f"naru: {error}", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
