"""Judge a model on the test rows: metrics, slices, the champion on the same rows, latency."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from components._core.checks import Outcome
from components._core.examples.artifact import Manifest
from components._core.examples.samples import Sample
from components._core.files import write_json
from components._core.project.project_file import Project
from components._core.report.html import write_page
from components._core.store.file_digests import list_digests
from components._core.store.ledger import resolve_champion
from components._core.types.artifact_files import (
    CHAMPION_IMPORTANCES,
    COMPARED,
    LATENCY,
    LEADERBOARD,
    MONITORING_REFERENCE,
    REFERENCE,
    REQUEST,
    SAMPLE,
)
from components._core.types.metrics import ranking
from components._frameworks.table import load_model
from components.evaluate.champion import Champion, fetch_champion
from components.evaluate.champion_importances import measure_champion
from components.evaluate.evaluation_page import add_latency, add_variants, make_page
from components.evaluate.evidence import Evidence, check_gates, gather
from components.evaluate.gates import judge_model
from components.evaluate.latency import as_json, measure_latency
from components.evaluate.monitoring_reference import make_monitoring_reference
from components.evaluate.parity_samples import take_sample
from components.evaluate.serving_reference import make_reference, sample_request
from components.evaluate.simpler_models import compare_simpler_models

Roc = tuple[list[float], list[float], list[float]]


@dataclass(frozen=True)
class Judged:
    """What the component hands over.

    Attributes:
        outcome: The verdict; `blocked` means that the model gate said no, and the run goes on.
        classes: The label's values in the order of the confusion matrix.
        confusion: Rows by actual (down) and predicted class (across); None for a task without classes.
        roc: False and true positive rates and thresholds, all finite, 200 at most; None where the task has no such curve.
        timings: Measured times, in milliseconds: for metadata only, since they differ from run to run.
    """

    outcome: Outcome
    classes: list[str]
    confusion: list[list[int]] | None
    roc: Roc | None
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def scalars(self) -> dict[str, float]:
        """Metrics and timings for the Kubeflow UI; KFP's launcher fails on values that are not JSON, so NaN and infinity are left out."""
        numbers = {**self.outcome.metrics, **self.timings}
        return {name: value for name, value in numbers.items() if math.isfinite(value)}


def evaluate_model(
    project: Project,
    *,
    champion: str,
    examples: Path,
    model: Path,
    evaluation: Path,
    page: Path,
    history: Path | None = None,
) -> Judged:
    """Judge a model on the test rows.

    `evaluation` gets the outcome, the page as data, the champion's identity and importances and a sample of rows with the model's answers, equal for equal inputs,
    the examples' manifest, what the model's server needs (`serving_reference.py`), and `latency.json`, which holds times. The
    rendered page shows the times too. A model that cannot be judged by numbers has no sample.

    Args:
        project: The project; its gates decide.
        champion: The champion's line of the deployment ledger as JSON; `auto` looks it up, `none` is none.
        examples: The examples artifact.
        model: The model artifact.
        evaluation: An empty folder.
        page: Where the rendered page goes.
        history: Output of train, which has the scores of simpler models with `tune.baselines`; None: it is not looked at.

    Raises:
        ConfigError: When a gate names a column that there is not, or `champion` is not a line of the ledger.
        DataError: When no test row has a label.
        ModelError: When the model does not load, fails on the rows or answers in another shape.
        UnavailableError: When the ledger cannot be reached.
    """
    check_gates(project, examples)
    loaded = load_model(model)
    with tempfile.TemporaryDirectory(prefix="naru-champion-") as folder:
        deployment = resolve_champion(champion, project.name)
        rival = None
        if deployment:
            rival = fetch_champion(deployment, loaded.signature, examples, Path(folder), project.label)
        evidence = gather(project, loaded, rival, examples, unchanged=_is_same(model, rival))
        is_compared = not (evidence.unusable or evidence.unchanged)
        importances = measure_champion(project, evidence.champion, examples) if is_compared else None
    outcome = judge_model(evidence)
    shown = make_page(evidence, outcome)
    if simpler := compare_simpler_models(project, history, evidence.baseline):
        simpler.show(shown)
        write_json(evaluation / LEADERBOARD, simpler.to_json())
    shown.save(evaluation)
    sample = None if evidence.unusable else take_sample(loaded, examples)
    if sample:
        sample.save(evaluation / SAMPLE)
    if not evidence.unusable:
        reference = make_monitoring_reference(examples, loaded.signature, evidence.scores, evidence.labels)
        reference.save(evaluation / MONITORING_REFERENCE)
    _write_serving_reference(examples, evidence, sample, evaluation)
    write_json(evaluation / COMPARED, {"champion": deployment.identity if deployment else None})
    if importances:
        write_json(evaluation / CHAMPION_IMPORTANCES, importances)
    latencies = measure_latency(loaded, examples)
    write_json(evaluation / LATENCY, as_json(latencies, project.gates.serving.p95_ms))
    add_latency(shown, latencies, project.gates.serving.p95_ms)
    if project.serve.optimize and outcome.verdict in ("ok", "warn"):
        from components.evaluate.variants import choose_variant

        task = evidence.task
        add_variants(
            shown,
            choose_variant(project, project.serve.optimize, task, model, loaded, examples, evaluation),
        )
    write_page(shown, page)
    timings = {f"latency_{at.rows}_rows_p95_ms": at.p95_ms for at in latencies}
    return Judged(outcome, list(loaded.signature.classes), _confusion(evidence), _roc(evidence), timings)


def _write_serving_reference(examples: Path, evidence: Evidence, sample: Sample | None, evaluation: Path) -> None:
    """Write what register takes from the examples, so that they need not go there: their manifest, and what a server needs of them."""
    Manifest.load(examples).save(evaluation)
    features = evidence.signature.inputs
    request = sample_request(examples, features)
    write_json(evaluation / REQUEST, request)
    reference = make_reference(examples, features, sample, request)
    threshold = evidence.threshold.value if evidence.threshold else None
    interval = evidence.interval.value if evidence.interval else None
    replace(reference, threshold=threshold, interval=interval).save(evaluation / REFERENCE)


def _is_same(model: Path, champion: Champion | None) -> bool:
    """Whether the champion's model has the same files; register adds the reference of the server to those that train wrote."""
    if champion is None or champion.folder is None:
        return False
    if champion.variant:
        return list_digests(model) == champion.variant.original
    theirs = list_digests(champion.folder)
    theirs.pop(REFERENCE, None)
    return list_digests(model) == theirs


def _confusion(evidence: Evidence) -> list[list[int]] | None:
    return None if evidence.unusable else evidence.task.confusion(evidence.labels, evidence.scores)


def _roc(evidence: Evidence) -> Roc | None:
    if evidence.unusable or "roc" not in evidence.task.figures:
        return None
    curve = ranking.roc_curve(evidence.labels, evidence.scores)
    return (curve.x, curve.y, curve.thresholds) if curve else None
