"""`naru data ls|show|diff|verify`: the datasets of a project, what differs between two, and whether a source still has one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.errors import DataError
from pipelines.cli.arguments import ProjectPath

if TYPE_CHECKING:  # imported at run time only by the command that needs it
    from components._core.project.project_file import Project
    from pipelines.datasets import Dataset
    from pipelines.local.workspace import Workspace

_PANEL = "Data"
_group = typer.Typer(name="data", no_args_is_help=True, rich_markup_mode="markdown")
_SHOWN = 20

Name = Annotated[str, typer.Argument(metavar="DATASET", help="A version of the ledger, a run, or `last`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    message = "The datasets of a project's runs and versions: ls, show, diff, verify."
    app.add_typer(_group, help=message, rich_help_panel=_PANEL)


@_group.command()
def ls(project: ProjectPath = Path()) -> None:
    """List the datasets: of runs on this machine, and of versions in the deployment ledger."""
    _, _, datasets = _open(project)
    typer.echo(f"{'dataset':<24}{'rows':>12}  {'fingerprint':<12}{'split':<20}spans")
    for dataset in datasets:
        line = f"{dataset.name:<24}{dataset.rows:>12,}  {dataset.manifest.fingerprint[:8]:<12}{dataset.split:<20}"
        typer.echo(line + dataset.manifest.format_spans())


@_group.command()
def show(project: ProjectPath, name: Name) -> None:
    """Show what a dataset holds and where it is from: rows by split, columns, files."""
    from pipelines.datasets import find_dataset

    dataset = find_dataset(_open(project)[2], name)
    manifest = dataset.manifest
    typer.echo(f"{dataset.name}  fingerprint {manifest.fingerprint}")
    typer.echo("rows     " + ", ".join(f"{split} {count:,}" for split, count in manifest.rows.items()))
    typer.echo(f"split    {dataset.split}")
    typer.echo(f"spans    {dataset.manifest.format_spans()}")
    typer.echo("columns  " + ", ".join(f"{column} {kind}" for column, kind in manifest.columns.items()))
    typer.echo("files")
    for file in manifest.files[:_SHOWN]:
        aside = f", {file.quarantined:,} set aside" if file.quarantined else ""
        typer.echo(f"  {file.path}  {file.rows:,} rows{aside}, {file.bytes:,} bytes, sha256 {file.sha256[:16]}")
    if len(manifest.files) > _SHOWN:
        typer.echo(f"  and {len(manifest.files) - _SHOWN} more")


@_group.command(epilog="Example: `naru data diff examples/flights v1 last --key id`")
def diff(
    project: ProjectPath,
    one: Name,
    other: Name,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Column that identifies a row; may be repeated: rows are compared, too."),
    ] = None,
) -> None:
    """Show what differs from one dataset to another: spans, columns, split, rows."""
    from components.validate.span_changes import compare_spans
    from pipelines.datasets import compare_rows, find_dataset

    datasets = _open(project)[2]
    before, after = find_dataset(datasets, one), find_dataset(datasets, other)
    typer.echo(f"rows     {before.rows:,} -> {after.rows:,}")
    changes = compare_spans(after.manifest, before.manifest)
    named = {"new": changes.new, "late": changes.late, "corrected": changes.corrected, "unchanged": changes.unchanged}
    for what, spans in named.items():
        if spans:
            typer.echo(f"spans    {what}: {after.manifest.format_spans(spans)}")
    if changes.absent:
        typer.echo(f"spans    removed: {before.manifest.format_spans(changes.absent)}")
    for line in _column_changes(before.manifest.columns, after.manifest.columns):
        typer.echo(f"columns  {line}")
    if before.split != after.split:
        typer.echo(f"split    {before.split} -> {after.split}")
    if key:
        rows = compare_rows(before, after, key)
        typer.echo(
            f"by key   {rows.added:,} added, {rows.removed:,} removed, {rows.changed:,} changed, {rows.equal:,} equal"
        )


@_group.command()
def verify(project: ProjectPath, name: Name) -> None:
    """Read a dataset's files again, and compare them with the digests in its manifest; exits with 4 if one differs."""
    from pipelines.datasets import find_dataset, verify_files

    workspace, loaded, datasets = _open(project)
    dataset = find_dataset(datasets, name)
    states = verify_files(workspace, loaded, dataset)
    wrong = [found for found in states if found.state != "unchanged"]
    for found in wrong:
        typer.echo(f"{found.state}  {found.file.path}")
    if wrong:
        message = f"{len(wrong)} of {len(states)} files are not as {dataset.name} read them"
        raise DataError(message, where=loaded.data.source, remedy="restore them, or read the new ones with a run")
    typer.echo(f"{len(states)} files are as {dataset.name} read them")


def _open(path: Path) -> tuple[Workspace, Project, list[Dataset]]:
    from components._core.project.project_file import load_project
    from pipelines.datasets import list_datasets
    from pipelines.local.workspace import find_workspace

    loaded = load_project(path)
    workspace = find_workspace(path)
    return workspace, loaded, list_datasets(workspace, loaded)


def _column_changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    added = [f"added: {name} {after[name]}" for name in after if name not in before]
    removed = [f"removed: {name} {before[name]}" for name in before if name not in after]
    retyped = [
        f"{name}: {before[name]} -> {after[name]}" for name in after if name in before and before[name] != after[name]
    ]
    return added + removed + retyped
