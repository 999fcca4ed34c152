"""The stage: predict a table with a deployed version, and keep the manifest as its artifact."""

from __future__ import annotations

from pathlib import Path

from components._core.checks import Check, Outcome, judge
from components._core.files import write_json
from components._core.project.project_file import Project
from components._core.project.table_config import Sql
from components._core.settings import Settings
from components._core.types.artifact_files import MANIFEST
from components._core.types.variant_table import ORIGINAL, in_words
from components._data.key_names import errors_name
from components.predict.destinations.contract import Manifest, Output
from components.predict.predict import check_answered, predict_table
from components.predict.scoring_table import data_for, option_names
from components.predict.versions import fetched_version


def predict_version(
    project: Project,
    *,
    source: str,
    spans: str,
    sql: Sql | None,
    version: str,
    output: Output,
    predictions: Path,
) -> Outcome:
    """Answer the rows of a source with a deployed version. See `component.py`.

    Args:
        project: The project, with its source as an absolute location.
        source: Another table; empty: the project's.
        spans: Spans to read; empty: those of the project, of another table all.
        sql: What of a database is the table; None: as in the project.
        version: A version that was deployed, or `champion`.
        output: Where the answers go.
        predictions: An empty folder; gets the manifest.

    Raises:
        NaruError: As `predict_table`; a `DataError` also when no row was answered.
    """
    data = project.data
    if (source and source != data.source) or sql is not None:
        data = data_for(data, source or data.source, spans, sql)
    elif spans:
        data = data.model_copy(update={"spans": spans})
    store = Settings.from_environment().store
    with fetched_version(store, project.name, version) as model, errors_name(option_names(source, sql)):
        done = predict_table(project.model_copy(update={"data": data}), model, output, store)
    write_json(predictions / MANIFEST, done.manifest)
    check_answered(done)
    return _judge(done.manifest, done.notes, was_complete=done.was_complete)


def _judge(manifest: Manifest, notes: list[str], *, was_complete: bool) -> Outcome:
    answered, rejected = manifest["answered"], manifest["rejected"]
    codes = ", ".join(f"{code} {count:,}" for code, count in manifest["rejected_by_code"].items())
    checks = [Check("features", "warn", reason=note) for note in notes]
    if rejected:
        reason = f"{rejected:,} of {answered + rejected:,} rows rejected ({codes})"
        checks.append(Check("rejected rows", "warn", float(rejected), 0.0, n=answered + rejected, reason=reason))
    known = {name: value for name, value in manifest["metrics"].items() if value is not None}
    counts = {"answered": float(answered), "rejected": float(rejected)}
    reason = "; ".join(
        [
            f"{answered:,} rows answered by version {manifest['version']}{in_words(manifest.get('variant', ORIGINAL))}",
            *(["all of it was there"] if was_complete else []),
            *(check.reason for check in checks),
        ]
    )
    return judge(checks, reason, {**counts, **known})
