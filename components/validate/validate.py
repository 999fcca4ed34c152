"""Validate examples: statistics, schema, anomalies, drift; judged by the project's policy."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from components._core.checks import Check, Outcome, judge
from components._core.examples.artifact import SPLITS, Manifest
from components._core.private_names import public_path_check
from components._core.project.gate_config import Severity
from components._core.project.project_file import Project
from components._core.report.html import write_page
from components._core.store.ledger import Deployment, resolve_champion
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.feature_types import FeatureType
from components._core.types.signature import features_of
from components._core.types.tasks import TASKS
from components.validate import anomalies, comparisons, dataset_schema, findings, label_findings, leakage, statistics
from components.validate.comparisons import Comparison
from components.validate.dataset_schema import Schema
from components.validate.expectations import check_expectations
from components.validate.findings import Finding
from components.validate.lost_precision import find_lost_precision
from components.validate.pictures.measured_pictures import drifting_columns, find_picture_column
from components.validate.pictures.picture_checks import PictureFindings, check_pictures
from components.validate.span_changes import check_spans
from components.validate.statistics import Computed, restrict
from components.validate.tfdv_columns import column_types
from components.validate.validation_page import Shown, make_page

_NAMED = 3
"""Maximum number of warnings named in the stage table."""


@dataclass(frozen=True)
class _SchemaResult:
    """The effective schema, the findings about it, and the proposed change."""

    schema: Schema
    found: list[Finding]
    change: str
    reviewed: bool


def validate_examples(
    project: Project,
    *,
    champion: str,
    code: Path,
    examples: Path,
    statistics: Path,
    schema: Path,
    validation: Path,
    page: Path,
) -> Outcome:
    """Validate an examples artifact.

    Args:
        project: The project; `gates.data` is the policy.
        champion: `auto`, `none` or a line of the deployment ledger as JSON.
        code: The code archive, with the reviewed schema if any.
        examples: Output of ingest.
        statistics: Empty folder for the statistics of the training rows.
        schema: Empty folder for the effective schema.
        validation: Empty folder for the outcome and the page as data.
        page: The page's file.

    Raises:
        ConfigError: When the policy names an unknown kind, `data.checks` does not fit the columns, the reviewed schema is invalid, or the champion is not a
            deployment.
        UnavailableError: When the ledger or the champion's statistics cannot be reached.
    """
    policy = findings.severities(project.gates.data.anomalies)
    reviewed = dataset_schema.read_reviewed(code, project.schema_file)
    deployment = resolve_champion(champion, project.name)
    manifest = Manifest.load(examples)
    types = column_types(examples, project.data.exclude)
    if reviewed is not None:
        types |= _converted_types(types, reviewed)
    features = {name: kind for name, kind in types.items() if name != project.label}
    measured = drifting_columns(manifest.columns)
    with ThreadPoolExecutor(1) as second_core:
        splits = second_core.submit(leakage.check_splits, examples, manifest, features, project.data.exclude, policy)
        all_computed, warned = _compute(examples, types | measured, manifest)
    computed = restrict(all_computed, types)
    picture = find_picture_column(manifest.columns)
    settled = _resolve_schema(project, policy, types, computed, reviewed, picture)
    counts = label_findings.count_labels(project, examples) if project.label in types else {}
    found = [*settled.found, *_find_anomalies(project, examples, manifest, types, computed, counts)]
    found += _find_lost_precision(project, examples, settled.schema, computed)
    pictures = _check_pictures(project, examples, manifest, policy)
    drifting = restrict(all_computed, {*types, *measured} - {picture})
    compared = (_against_spans(project, manifest, drifting), _against_champion(project, deployment, drifting))
    # measures are not named: pictures of one size in each span, and another in the newest, have changed
    followers = comparisons.follow_spans(examples, manifest.spans, [*types])
    checks = check_expectations(project.data.checks, examples, manifest)
    checks += [*warned, *findings.to_checks(found, policy), *_schema_checks(project, settled)]
    checks += splits.result()
    checks += pictures.checks if pictures else ()
    checks += check_spans(manifest, deployment)
    for comparison in compared:
        checks += comparisons.to_checks(comparison, project.gates.data, followers, project.label)
    outcome = _judge(checks, manifest, types)
    shown = Shown(
        project,
        manifest,
        types,
        measured,
        all_computed.train,
        counts,
        compared,
        followers,
        settled.schema,
        settled.change,
        settled.reviewed,
        pictures,
    )
    _write(shown, outcome, statistics, schema, validation, page)
    return outcome


def _check_pictures(
    project: Project, examples: Path, manifest: Manifest, policy: dict[str, Severity]
) -> PictureFindings | None:
    """Check the pictures, if ingest measured any."""
    classes = TASKS[project.task].has_classes
    return check_pictures(examples, manifest, project.label, classes, project.gates.data, policy)


def _converted_types(types: dict[str, str], reviewed: Schema) -> dict[str, str]:
    """Return the columns that a model converts, with its types: whole numbers where the schema has real ones are not a change, nor are truth values as texts."""
    wanted = {name: kind for name, kind in dataset_schema.feature_types(reviewed).items() if not kind.is_whole}
    return {name: wanted[name].name for name, kind in types.items() if _is_converted(kind, wanted.get(name))}


def _compute(examples: Path, types: dict[str, str], manifest: Manifest) -> tuple[Computed, list[Check]]:
    """Compute the statistics, with columns in the model's types; returns a warning when it took the slower way."""
    try:
        from components.validate import partial_statistics
    except ImportError as error:
        from components.validate import beam_statistics

        instead = "statistics computed with Beam, which takes longer"
        check = public_path_check(error, "tensorflow-data-validation", instead)
        return beam_statistics.compute(examples, types, manifest.spans), [check]
    return partial_statistics.compute(examples, types, manifest.spans), []


def _is_converted(kind: str, wanted: FeatureType | None) -> bool:
    """Return whether a column becomes another type in a model than its own, which a schema wants."""
    known = COLUMN_TYPES[kind]
    return wanted is not None and wanted is not known.feature and known.fits(wanted)


def _resolve_schema(
    project: Project,
    policy: dict[str, Severity],
    types: dict[str, str],
    computed: Computed,
    reviewed: Schema | None,
    picture: str,
) -> _SchemaResult:
    """Infer the schema, or compare the data with the reviewed one; the column of pictures, if any, has an image domain."""
    inferred = dataset_schema.infer(computed.train, list(computed.held_out.values()), project.label)
    dataset_schema.mark_picture(inferred, picture)
    if reviewed is None:
        return _SchemaResult(inferred, anomalies.check_inferred(computed.held_out, inferred, project.label), "", False)
    parts = {"train": computed.train, **computed.held_out}
    exclude = project.data.exclude
    found = anomalies.check_against(types, parts, reviewed, exclude, project.label)
    gone = _columns(found, "missing_column")
    retyped = _columns(found, "wrong_type") if policy["wrong_type"] != "fail" else set()
    gaps = _columns(found, "missing_values") if policy["missing_values"] != "fail" else set()
    in_force = dataset_schema.settle(
        reviewed, inferred, {*exclude, *gone}, retyped | _new_label(project, reviewed), gaps
    )
    dataset_schema.mark_picture(in_force, picture)
    known = dataset_schema.settle(reviewed, inferred, set(exclude), set(), set())
    change = dataset_schema.difference(known, dataset_schema.propose(known, list(parts.values())), project.schema_file)
    return _SchemaResult(in_force, found, change, True)


def _columns(found: list[Finding], kind: str) -> set[str]:
    return {finding.where for finding in found if finding.kind == kind}


def _new_label(project: Project, reviewed: Schema) -> set[str]:
    return set() if project.label in dataset_schema.names(reviewed) else {project.label}


def _find_anomalies(
    project: Project,
    examples: Path,
    manifest: Manifest,
    types: dict[str, str],
    computed: Computed,
    counts: label_findings.Counts,
) -> list[Finding]:
    """Find the anomalies that do not depend on the schema."""
    parts = {"train": computed.train, **computed.held_out}
    found = anomalies.check_splits({split: manifest.rows.get(split, 0) for split in SPLITS})
    found += anomalies.check_presence(project.label, types, parts)
    if counts:
        found += label_findings.check_label(project, types[project.label], counts)
    found += anomalies.check_infinite(computed.infinite, types)
    found += anomalies.check_features(computed.train, project.label)
    return found + anomalies.find_duplicates(computed.train, examples, types)


def _find_lost_precision(project: Project, examples: Path, schema: Schema, computed: Computed) -> list[Finding]:
    features = features_of(schema, {project.label, *project.data.exclude})
    target = project.label if project.task == "regression" else ""
    return find_lost_precision(examples, features, target, {"train": computed.train, **computed.held_out})


def _against_spans(project: Project, manifest: Manifest, computed: Computed) -> Comparison:
    after = computed.newest if computed.newest is not None else computed.train
    reason = "one span only: there are no earlier rows to compare with"
    return comparisons.compare("the earlier spans", computed.earlier, after, project.gates.data.min_rows, reason)


def _against_champion(project: Project, deployment: Deployment | None, computed: Computed) -> Comparison:
    after = computed.newest if computed.newest is not None else computed.train
    if deployment is None:
        return comparisons.compare(
            "the champion's data", None, after, project.gates.data.min_rows, "there is no champion yet"
        )
    before, reason = comparisons.fetch_statistics(deployment)
    return comparisons.compare(
        f"the data of champion {deployment.version}", before, after, project.gates.data.min_rows, reason
    )


def _schema_checks(project: Project, settled: _SchemaResult) -> list[Check]:
    name = project.schema_file
    if not settled.reviewed:
        message = f"no reviewed schema: inferred; keep it with `cp <run>/validate/schema/schema.pbtxt {shlex.quote(name)}` beside project.yaml"
        return [Check("reviewed schema", "no_baseline", reason=message)]
    if settled.change:
        return [
            Check("reviewed schema", "warn", reason=f"the data needs a change of {name}; the page shows it as a diff")
        ]
    return [Check("reviewed schema", "pass", reason=f"the data conforms to {name}")]


def _judge(checks: list[Check], manifest: Manifest, types: dict[str, str]) -> Outcome:
    warned = [check for check in checks if check.status == "warn"]
    drifted = [check for check in warned if check.name.startswith("drift")]
    message = f"{len(types)} columns"
    if warned:
        named = ", ".join(check.name for check in warned[:_NAMED]) + (", ..." if len(warned) > _NAMED else "")
        message += f"; {len(warned)} warning{'s' * (len(warned) > 1)}, {len(drifted)} of drift: {named}"
    elif any(check.status == "no_baseline" for check in checks):
        message += "; nothing to compare with: " + ", ".join(sorted(_missing_baselines(checks)))
    metrics = {f"{split}_rows": float(manifest.rows.get(split, 0)) for split in SPLITS}
    metrics |= {"columns": float(len(types)), "warnings": float(len(warned)), "drifted": float(len(drifted))}
    metrics["blocking"] = float(sum(check.status == "fail" for check in checks))
    return judge(checks, message, metrics)


def _missing_baselines(checks: list[Check]) -> set[str]:
    return {check.name.removeprefix("drift against ") for check in checks if check.status == "no_baseline"}


def _write(shown: Shown, outcome: Outcome, to_statistics: Path, to_schema: Path, validation: Path, page: Path) -> None:
    statistics.save(shown.train, to_statistics)
    dataset_schema.save(shown.schema, to_schema)
    made = make_page(shown, outcome)
    made.save(validation)
    write_page(made, page)
