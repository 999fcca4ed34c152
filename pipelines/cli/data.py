"""`naru data check|ls|show|diff|pin|keep|verify`: what a project expects of its table, its datasets, and whether a source still has one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components._core.errors import ConfigError, DataBlockedError, DataError
from pipelines.cli.arguments import ProjectPath

if TYPE_CHECKING:  # imported at run time only by the command that needs it
    from components._core.examples.artifact import Manifest, SourceFile
    from components._core.examples.label_origin import LabelOrigin
    from components._core.project.project_file import Project
    from components.validate.drift import Shift
    from pipelines.datasets import Dataset
    from pipelines.local.workspace import Workspace

_PANEL = "Data"
_group = typer.Typer(name="data", no_args_is_help=True, rich_markup_mode="markdown")
_SHOWN = 20
_PIN_DIGITS = 16
_EFFECTS = ((0.8, "large"), (0.5, "medium"), (0.2, "small"), (0.0, "below small"))

Name = Annotated[str, typer.Argument(metavar="DATASET", help="A version of the ledger, a run, or `last`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    message = (
        "Check a table, and the datasets of a project's runs and versions: check, ls, show, diff, pin, keep, verify."
    )
    app.add_typer(_group, help=message, rich_help_panel=_PANEL)


@_group.command(epilog="Example: `naru data check examples/flights --spans 'last 1'`")
def check(
    project: ProjectPath = Path(),
    spans: Annotated[str, typer.Option(help="Spans to check, as in data.spans; default: those of the project.")] = "",
) -> None:
    """Read the table and check it against data.checks, without a run; exits with 5 if an expectation fails.

    The table is read as a run reads it, with the rules of data.rows. Nothing is written.
    """
    from components._core.project.project_file import load_project
    from components.ingest.check_source import check_source
    from pipelines.local.runner import absolute_data
    from pipelines.local.workspace import find_workspace

    loaded = load_project(project, {"data.spans": spans} if spans else {})
    workspace = find_workspace(project)
    with workspace.settings_applied():
        outcome = check_source(loaded.model_copy(update={"data": absolute_data(workspace, loaded)}))
    for found in outcome.checks:
        says_itself = found.name.startswith("data check") or found.reason.startswith(f"{found.name.partition(':')[0]}:")
        name = "" if says_itself else f"{found.name}: "
        typer.echo(f"{found.status:<8}{name}{found.reason or 'all'}")
    if not any(found.name.startswith("data check") for found in outcome.checks):
        typer.echo("note    data.checks expects nothing: rows were read, and not compared with anything")
    failed = [found for found in outcome.checks if found.status == "fail"]
    if failed:
        names = ", ".join(found.name.removeprefix("data check: ") for found in failed)
        message = f"{len(failed)} of {len(outcome.checks)} checks failed: {names}"
        remedy = "correct the rows in the source, or what data.checks expects"
        raise DataBlockedError(message, where=loaded.data.source, remedy=remedy)
    typer.echo(outcome.reason)


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
    if manifest.labels:
        typer.echo(_describe_labels(manifest.labels))
    typer.echo("files")
    _show_files(manifest.files)
    for table in manifest.joined:
        typer.echo(f"joined   {', '.join(table.columns.values())}; {table.unmatched:,} rows without a match")
        _show_files(table.files)


def _describe_labels(origin: LabelOrigin) -> str:
    by = ", ".join(f"{name} {count:,}" for name, count in origin.annotators.items())
    when = f", {origin.since[:10]} to {origin.until[:10]}" if origin.since else ""
    alpha = origin.agreement.get("alpha")
    agreed = "" if alpha is None else f", alpha {alpha:.3f} on {origin.agreement.get('items', 0):,} items"
    return f"labels   {origin.rows:,} by {by}{when}, with {', '.join(origin.tools)}{agreed}"


def _show_files(files: list[SourceFile]) -> None:
    for file in files[:_SHOWN]:
        aside = f", {file.quarantined:,} set aside" if file.quarantined else ""
        typer.echo(f"  {file.path}  {file.rows:,} rows{aside}, {file.bytes:,} bytes, sha256 {file.sha256[:16]}")
    if len(files) > _SHOWN:
        typer.echo(f"  and {len(files) - _SHOWN} more")


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
    """Show what differs from one dataset to another: spans, columns, split, rows, distributions."""
    from components.validate.span_changes import compare_spans
    from pipelines.datasets import compare_rows, find_dataset, measure_drift

    _, loaded, datasets = _open(project)
    before, after = find_dataset(datasets, one), find_dataset(datasets, other)
    typer.echo(f"rows     {before.rows:,} -> {after.rows:,}")
    changes = compare_spans(after.manifest, before.manifest)
    named = {"new": changes.new, "late": changes.late, "corrected": changes.corrected, "unchanged": changes.unchanged}
    for what, spans in named.items():
        if spans:
            typer.echo(f"spans    {what}: {after.manifest.format_spans(spans)}")
    if changes.absent:
        typer.echo(f"spans    removed: {before.manifest.format_spans(changes.absent)}")
    for line in _joined_changes(before.manifest, after.manifest):
        typer.echo(f"joined   {line}")
    for line in _column_changes(before.manifest.columns, after.manifest.columns):
        typer.echo(f"columns  {line}")
    if before.split != after.split:
        typer.echo(f"split    {before.split} -> {after.split}")
    for line in _drift_lines(*measure_drift(before, after), loaded.gates.data.drift):
        typer.echo(f"drift    {line}")
    if key:
        rows = compare_rows(before, after, key)
        typer.echo(
            f"by key   {rows.added:,} added, {rows.removed:,} removed, {rows.changed:,} changed, {rows.equal:,} equal"
        )


@_group.command(epilog="Example: `naru data pin examples/flights v1`")
def pin(project: ProjectPath, name: Name) -> None:
    """Pin the project to a dataset: runs read exactly its rows, and end with 4 where the source gives others.

    Writes data.pin, and data.spans where the source has spans, into project.yaml; newer spans are then not read.
    """
    from components._core.project.project_file import PROJECT_FILE
    from components._data.sources.registry import span_unit
    from pipelines.datasets import find_dataset
    from pipelines.project_edit import set_keys

    _, loaded, datasets = _open(project)
    dataset = find_dataset(datasets, name)
    keys = {"pin": dataset.manifest.fingerprint[:_PIN_DIGITS]}
    if span_unit(loaded.data) is not None:
        keys["spans"] = dataset.manifest.format_spans()
    file = project / PROJECT_FILE if project.is_dir() else project
    set_keys(file, "data", keys)
    typer.echo(f"pinned to {dataset.name}: {dataset.rows:,} rows, fingerprint {keys['pin']} (data.pin in {file})")
    if "spans" in keys:
        typer.echo(f"runs read the spans {keys['spans']}; others of the source are not read")
    typer.echo("a source that gives other rows ends the run; remove data.pin to read it as it is")


@_group.command(
    epilog="Example: `naru data keep examples/flights 5`, then `source: naru://flights@5` in another project"
)
def keep(project: ProjectPath, name: Name) -> None:
    """Copy the rows of a version to the store, where other projects read them as naru://PROJECT@VERSION."""
    from components._core.examples.kept_rows import keep_rows
    from pipelines.datasets import find_dataset

    workspace, loaded, datasets = _open(project)
    dataset = find_dataset(datasets, name)
    if dataset.version is None:
        message = f"{dataset.name} is a run; the store keeps the rows of versions"
        versions = [known.name for known in datasets if known.version is not None]
        remedy = f"name a version: {', '.join(versions)}" if versions else "deploy a version first: naru run"
        raise ConfigError(message, where="naru data keep", remedy=remedy)
    if dataset.examples is None:
        remedy = "run this on the machine of the run that it was trained by"
        raise ConfigError(f"the rows of {dataset.name} are not on this machine", where="naru data keep", remedy=remedy)
    kept = keep_rows(dataset.examples, workspace.settings().store, loaded.name)
    typer.echo(f"{dataset.rows:,} rows in {len(kept.digests)} files: {kept.uri}")
    typer.echo(f"another project of this store reads them with source: naru://{loaded.name}@{dataset.version}")


@_group.command()
def verify(project: ProjectPath, name: Name) -> None:
    """Read a dataset's files again, and compare them with the digests in its manifest; exits with 4 if one differs."""
    from pipelines.datasets import find_dataset, verify_files

    workspace, loaded, datasets = _open(project)
    dataset = find_dataset(datasets, name)
    with workspace.settings_applied():
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


def _joined_changes(before: Manifest, after: Manifest) -> list[str]:
    """Say of the second tables of `data.join` which are new, removed, changed and unchanged."""
    one, other = (
        {table.name: [file.sha256 for file in table.files] for table in found.joined} for found in (before, after)
    )
    states = {
        name: "new" if name not in one else "removed" if name not in other else "changed"
        for name in [*one, *other]
        if one.get(name) != other.get(name)
    }
    return [f"{state}: {name}" for name, state in states.items()] + [
        f"unchanged: {name}" for name in one if name not in states
    ]


def _column_changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    added = [f"added: {name} {after[name]}" for name in after if name not in before]
    removed = [f"removed: {name} {before[name]}" for name in before if name not in after]
    retyped = [
        f"{name}: {before[name]} -> {after[name]}" for name in after if name in before and before[name] != after[name]
    ]
    return added + removed + retyped


def _drift_lines(shifts: list[Shift], reason: str, limit: float) -> list[str]:
    """Format how the columns of the training rows moved, the furthest first."""
    from components.validate.drift import L_INFINITY

    if reason:
        return [f"not measured: {reason}"]
    moved = [shift for shift in shifts if not shift.distance <= 0]
    far = sum(shift.distance > limit for shift in shifts)
    lines = [f"{far} of {len(shifts)} columns moved beyond {limit:g} (gates.data.drift), {len(moved)} at all"]
    width = max((len(shift.feature) for shift in moved[:_SHOWN]), default=0)
    for shift in moved[:_SHOWN]:
        measure, effect = f"{shift.measure.split()[0]} {shift.distance:.3f}", _effect_in_words(shift.effect)
        if math.isnan(shift.distance):
            measure, effect = "numbers on one side, texts on the other", ""
        how = f"{shift.before} -> {shift.after}"
        if shift.measure == L_INFINITY and shift.moved:
            value, then, now = shift.moved[0]
            how = f"{value} {then:.1%} -> {now:.1%}"
        lines.append(f"{shift.feature:<{width}}  {measure}{effect}; {how}")
    if len(moved) > _SHOWN:
        lines.append(f"and {len(moved) - _SHOWN} more")
    return lines


def _effect_in_words(effect: float) -> str:
    if math.isnan(effect):
        return ""
    size = next(word for bound, word in _EFFECTS if abs(effect) >= bound)
    return f", effect {effect:+.2f} ({size})"
