"""`naru explain|trace`: one row, its score, and what each feature adds to it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.arguments import ProjectPath

if TYPE_CHECKING:
    from pipelines.row_explanation.explained_row import ExplainedRow

_PANEL = "On this machine"

Row = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID",
        help="The row: its id, where the data has a column of ids; its number in the test split, from 0; COLUMN=VALUE, of "
        "which several must hold; or else the id of an answer, as with --request.",
        show_default=False,
    ),
]
JsonRow = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The row as the body of a request for it.", show_default=False, readable=False),
]
Request = Annotated[
    str,
    typer.Option(
        metavar="ID",
        help="The row as the server answered it, by the id of the answer in the request log; ID:ROW for a later row of the request.",
        show_default=False,
    ),
]
Version = Annotated[
    str, typer.Option(help="A deployed version.", show_default="the champion, or the newest run's model")
]
Run = Annotated[str, typer.Option(help="A run here instead of a version; `last` is the newest.", show_default=False)]
Overlay = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the row's picture as a PNG, with what each area adds to the score: blue raises it, orange lowers it.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print only the result, as one JSON object, on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command(
        epilog="Examples: `naru explain examples/flights --row 17`, `naru explain shop --row order_id=A-204`, "
        "`naru explain examples/flights --json-row request.json --version 3`",
        rich_help_panel=_PANEL,
    )(explain)
    app.command(epilog="Example: `naru trace examples/flights --row 17`", rich_help_panel=_PANEL)(trace)


def explain(
    project: ProjectPath = Path(),
    row: Row = None,
    json_row: JsonRow = None,
    request: Request = "",
    version: Version = "",
    run: Run = "",
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """Explain one row's score: Shapley values of its features against training rows, beside a second method."""
    from pipelines.row_explanation.overlay import write_overlay
    from pipelines.row_explanation.row_lines import explanation_lines

    found = _explain(project, row, json_row, request, version, run, transformed=False)
    if overlay is not None:
        write_overlay(found, overlay)
    _show(found, explanation_lines, as_json=as_json)


def trace(
    project: ProjectPath = Path(),
    row: Row = None,
    json_row: JsonRow = None,
    request: Request = "",
    version: Version = "",
    run: Run = "",
    as_json: Json = False,
) -> None:
    """Follow one row step by step: raw values, what preprocessing makes of them, score, answer, parts of the features."""
    from pipelines.row_explanation.row_lines import trace_lines

    _show(_explain(project, row, json_row, request, version, run, transformed=True), trace_lines, as_json=as_json)


def _explain(
    project: Path,
    row: list[str] | None,
    json_row: Path | None,
    request: str,
    version: str,
    run: str,
    *,
    transformed: bool,
) -> ExplainedRow:
    from pipelines.local.quiet import QUIET, without_warnings

    os.environ.update(QUIET)
    with redirect_stdout(sys.stderr), without_warnings():
        from pipelines.row_explanation.explained_row import explain_row

        return explain_row(
            project, row or [], json_row, request=request, version=version, run=run, transformed=transformed
        )


def _show(found: ExplainedRow, lines: Callable[[ExplainedRow], list[str]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"status": "succeeded", "exit_code": 0, **found.to_dict()}, ensure_ascii=False))
        return
    for line in lines(found):
        typer.echo(line)
