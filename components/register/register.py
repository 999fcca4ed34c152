"""Register a model: its parts into the store, its record into MLflow, the version as challenger."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components._core.checks import Outcome
from components._core.examples.artifact import Manifest
from components._core.files import fingerprint_folder, fingerprint_of, hash_file, read_json, write_json
from components._core.monitoring.reference import MonitoringReference, normalise_importances
from components._core.project.project_file import Project
from components._core.report.page import Page
from components._core.report.variant_columns import variant_columns
from components._core.settings import Settings
from components._core.stage.run_record import MADE_BY, Code, parse_commit
from components._core.store.file_digests import digest_of, list_digests, verify_model
from components._core.types.artifact_files import (
    CHOSEN_VARIANT,
    DIGESTS,
    HYPERPARAMETERS,
    IMPORTANCES,
    MANIFEST,
    MONITORING_REFERENCE,
    OUTCOME,
    REFERENCE,
    REGISTRATION,
    REQUEST,
    SAMPLE,
    VARIANT,
    VARIANTS,
)
from components._core.types.hyperparameter_names import stored_hyperparameter
from components._core.types.variant_table import ORIGINAL, ServedVariant, VariantTable
from components._frameworks.table import check_model_files
from components._registry.mlflow_client import CHALLENGER
from components._registry.sqlite_lock import when_unlocked
from components.register.mlflow_records import Record, Version, record_version
from components.register.version_files import store_parts

_CODE = "code.zip"


@dataclass(frozen=True)
class _Made:
    """What made the model: the artifacts of the run, by name."""

    code: Path
    statistics: Path
    schema: Path
    hyperparameters: Path
    model: Path
    evaluation: Path

    @property
    def variants(self) -> VariantTable | None:
        """What was measured of the model's variants; None: the project has no `serve.optimize`."""
        return VariantTable.load(self.evaluation)

    @property
    def served(self) -> Path:
        """The model that is served: the chosen variant, or the model itself."""
        table = self.variants
        return self.model if table is None or table.served == ORIGINAL else self.evaluation / CHOSEN_VARIANT

    def parts(self) -> dict[str, Path]:
        """What goes into the store, by the name that it has there. The rows themselves stay where they are."""
        is_variant = self.served != self.model
        sample = self.evaluation / SAMPLE
        return {
            "model": self.served,
            **({"original": self.model} if is_variant else {}),
            **({VARIANTS: self.evaluation / VARIANTS} if self.variants else {}),
            "statistics": self.statistics,
            "schema": self.schema,
            _CODE: self.code,
            MANIFEST: self.evaluation / MANIFEST,
            HYPERPARAMETERS: self.hyperparameters / HYPERPARAMETERS,
            OUTCOME: self.evaluation / OUTCOME,
            REQUEST: self.evaluation / REQUEST,
            **({SAMPLE: sample} if sample.is_file() else {}),
        }


def register_model(
    project: Project,
    *,
    run: str,
    code_fingerprint: str,
    code_commit: str,
    code: Path,
    statistics: Path,
    schema: Path,
    hyperparameters: Path,
    model: Path,
    evaluation: Path,
    explanation: Path,
    registration: Path,
) -> Outcome:
    """Make the model a version in the registry, with all that is needed to make it again. See `component.py`.

    The parts are copied once, to `<store>/<project>/models/<MLflow run>/artifacts`, which is where MLflow looks for the
    artifacts of that run. Registering the same model of the same run again gives the same version.

    Raises:
        ServiceError: When the store or MLflow failed, or what arrived is not what was sent.
    """
    judged = Outcome.load(evaluation / OUTCOME)
    explained = Outcome.load(explanation / OUTCOME)
    made_by = parse_commit(code_commit, code_fingerprint)
    if judged.verdict in ("blocked", "skipped"):
        return _skip(judged, registration, made_by)
    if explained.verdict == "blocked":
        return _skip(explained, registration, made_by)
    settings = Settings.from_environment()
    made = _Made(code, statistics, schema, hyperparameters, model, evaluation)
    record = _record(project, made, judged, run, made_by)
    _check_model(model)
    if made.served != model:
        _check_model(made.served)
    added = {REFERENCE: evaluation / REFERENCE, **_write_variant(made, registration / f"model-{VARIANT}")}
    reference = _write_monitoring_reference(evaluation, explanation, registration)
    parts = {**made.parts(), **reference, **_add_to_model(made.served, added, registration / f"model-{DIGESTS}")}
    version = when_unlocked(
        settings.tracking_uri,
        lambda: record_version(settings, record, lambda base: store_parts(parts, base, registration / DIGESTS)),
    )
    split = Manifest.load(evaluation).split
    fingerprint = split.fingerprint if split else ""
    return _tell(record, version, judged, settings, registration, fingerprint, made_by, made.variants)


def _check_model(model: Path) -> None:
    """See that the model is as train left it, and reads and writes no files of its own choice.

    Raises:
        ModelError: When it is not.
    """
    check_model_files(model)
    if (model / DIGESTS).is_file():
        verify_model(model)


def _write_variant(made: _Made, file: Path) -> dict[str, Path]:
    """Write which variant of the model is served, for the model's folder; nothing where no variants were made."""
    table = made.variants
    if table is None:
        return {}
    ServedVariant(table.served, table.settings, list_digests(made.model)).save(file)
    return {VARIANT: file}


def _write_monitoring_reference(evaluation: Path, explanation: Path, registration: Path) -> dict[str, Path]:
    """Write the reference of the version's monitor, which has the importances that explain found; nothing when evaluate made none."""
    if not (evaluation / MONITORING_REFERENCE).is_file():
        return {}
    reference = MonitoringReference.load(evaluation / MONITORING_REFERENCE)
    if (explanation / IMPORTANCES).is_file():
        reference = replace(reference, importances=_importance_shares(read_json(explanation / IMPORTANCES), reference))
    reference.save(registration / MONITORING_REFERENCE)
    return {MONITORING_REFERENCE: registration / MONITORING_REFERENCE}


def _importance_shares(found: dict[str, Any], reference: MonitoringReference) -> dict[str, float]:
    """Return the larger share of each feature by permutation and by Shapley values: features that repeat each other look unneeded to one."""
    features = [*reference.features]
    by_kind = [
        normalise_importances({name: item[kind] for name, item in found["features"].items()}, features)
        for kind in ("importance", "contribution")
    ]
    known = [shares for shares in by_kind if shares]
    return {name: max(shares[name] for shares in known) for name in features} if known else {}


def _add_to_model(model: Path, added: dict[str, Path], digests: Path) -> dict[str, Path]:
    """Files that a registered model has besides train's, and the list of all its files, in place of train's list."""
    write_json(digests, {**list_digests(model), **{name: hash_file(path) for name, path in added.items()}})
    return {f"model/{name}": path for name, path in {**added, DIGESTS: digests}.items()}


def _skip(judged: Outcome, registration: Path, made_by: Code) -> Outcome:
    why = judged.reason or f"evaluation was {judged.verdict}"
    outcome = Outcome("skipped", f"not registered: {why}")
    page = Page("register", "Registration", outcome)
    page.text(f"The model was not registered: {why}.")
    page.save(registration)
    write_json(registration / REGISTRATION, {"version": None, "reason": outcome.reason, MADE_BY: asdict(made_by)})
    return outcome


def _record(project: Project, made: _Made, judged: Outcome, run: str, made_by: Code) -> Record:
    manifest = Manifest.load(made.evaluation)
    model_fingerprint = fingerprint_folder(made.model)
    chosen: dict[str, Any] = read_json(made.hyperparameters / HYPERPARAMETERS)
    params = {
        **{stored_hyperparameter(name): value for name, value in sorted(chosen.items())},
        **{f"rows.{split}": count for split, count in sorted(manifest.rows.items())},
        "spans": manifest.format_spans(),
        "seed": project.train.seed,
        "data_fingerprint": manifest.fingerprint,
        "code_fingerprint": made_by.fingerprint,
    }
    tags = {
        "naru.key": fingerprint_of([run, model_fingerprint]),
        "naru.run": run,
        "naru.task": project.task,
        "naru.model_fingerprint": model_fingerprint,
        "naru.data_fingerprint": manifest.fingerprint,
        "naru.code_fingerprint": str(made_by.fingerprint),
        "naru.verdict": judged.verdict,
        **({"naru.variant": made.variants.served} if made.variants else {}),
        **_commit_tags(made_by),
    }
    return Record(project.name, run, params, judged.metrics, tags)


def _commit_tags(made_by: Code) -> dict[str, str]:
    """MLflow's own tag of a run's commit, which its pages show, and whether there were changes on top."""
    if made_by.commit is None:
        return {}
    return {"mlflow.source.git.commit": made_by.commit, "naru.code_dirty": str(made_by.dirty).lower()}


def _tell(
    record: Record,
    version: Version,
    judged: Outcome,
    settings: Settings,
    registration: Path,
    split: str,
    made_by: Code,
    variants: VariantTable | None,
) -> Outcome:
    named = ("model", "statistics", "schema", _CODE, *([SAMPLE] if SAMPLE in version.hashes else []))
    parts = {name: f"{version.base}/{name}" for name in named}
    as_variant = f"; served is its variant {variants.served}" if variants and variants.served != ORIGINAL else ""
    outcome = Outcome("ok", f"version {version.number} of {record.project}, as {CHALLENGER}{as_variant}")
    write_json(
        registration / REGISTRATION,
        {
            "project": record.project,
            "version": version.number,
            "run": record.run,
            "mlflow_run": version.mlflow_run,
            "model": parts["model"],
            "statistics": parts["statistics"],
            "schema": parts["schema"],
            "code": parts[_CODE],
            MADE_BY: asdict(made_by),
            "sample": parts.get(SAMPLE),
            **({"variant": variants.served} if variants else {}),
            "fingerprint": record.params["data_fingerprint"],
            "split": split,
            "metrics": judged.metrics,
            "tags": record.tags,
            "sha256": version.hashes,
            "registration_sha256": digest_of(version.hashes),
        },
    )
    page = Page("register", "Registration", outcome)
    page.facts({"version": version.number, "alias": CHALLENGER, "files": len(version.hashes)})
    if variants:
        page.table("Optimised variants", *variant_columns(variants))
    page.table("Recorded with it", ["what", "value"], [[name, str(value)] for name, value in record.params.items()])
    page.table("Where it lies", ["part", "address"], [[name, uri] for name, uri in parts.items()], folded=True)
    if settings.tracking_uri.startswith("sqlite:"):
        page.code(
            "Look at it in MLflow", f"mlflow ui --backend-store-uri {shlex.quote(settings.tracking_uri)}", folded=False
        )
    page.save(registration)
    return outcome
