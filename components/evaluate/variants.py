"""Optimised variants of a model that passed its gates: made, compared with it, timed in turns with it; the fastest that passes is chosen.

A variant that cannot be made, or that fails, is a row of the table and never the end of the run. Times decide, so that two runs may choose
differently: the table has its own file, apart from the outcome and the page, which are the same whenever the inputs are.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from components._core.errors import DataError, NaruError, first_line
from components._core.examples.artifact import read_head
from components._core.examples.samples import Sample
from components._core.extras import missing_packages
from components._core.files import files_below
from components._core.project.optimize_config import Optimize
from components._core.project.project_file import Project
from components._core.types.artifact_files import CHOSEN_VARIANT, SAMPLE
from components._core.types.signature import to_arrays
from components._core.types.tasks.contract import Task
from components._core.types.variant_table import ORIGINAL, VariantRow, VariantTable
from components._frameworks.contract import Arrays, Framework, Model, VariantKind
from components._frameworks.score_rows import Scored
from components._frameworks.table import framework_of, load_model
from components.evaluate.parity_samples import take_sample
from components.evaluate.unusual_rows import describe_difference
from components.evaluate.variant_latency import BATCH, ONE, Speedup, Timings, compare, measure_in_turns
from components.evaluate.variant_parity import Parity, differs_alone, measure_parity, measure_spread

_TRAINING_ROWS = 1_000
_MOST_SLOWER = 0.95
"""Least speed-up of either size of call: a variant that is slower for one row is not served for the sake of batches."""


@dataclass(frozen=True)
class _Made:
    """A variant that was made and loads."""

    row: VariantRow
    model: Model
    folder: Path


@dataclass(frozen=True)
class _Judging:
    """What every variant is judged with."""

    project: Project
    settings: Optimize
    task: Task
    original: Model
    scored: Scored
    rows: Arrays
    metric: float


def choose_variant(
    project: Project, settings: Optimize, task: Task, folder: Path, model: Model, examples: Path, evaluation: Path
) -> VariantTable:
    """Make and judge the variants of a model, and leave the chosen one in `evaluation`.

    Args:
        project: The project.
        settings: Its `serve.optimize`.
        task: Its task, with the model's threshold.
        folder: The model artifact.
        model: The model in memory.
        examples: The examples artifact.
        evaluation: Gets `variants.json`, and `variant/` when one is chosen, whose answers take the place of the model's in the sample.

    Raises:
        ModelError: When the model itself fails on the rows.
        NaruError: When the disk is full.
    """
    original = VariantRow(ORIGINAL, "the model as it was trained", "passed", bytes=_size(folder))
    rows = to_arrays(
        read_head(examples, "train", _TRAINING_ROWS, [each.name for each in model.signature.inputs]),
        model.signature.inputs,
    )
    with _aside(evaluation) as aside:
        made = list(_make_all(settings, folder, rows, aside))
        answering = {each.row.name: each.model for each in made if isinstance(each, _Made)}
        try:
            scored, parities = measure_parity(project, task, model, answering, examples)
        except DataError as error:  # without eval rows
            nothing = _keep_original(project, settings, [original], 0, f"nothing can be compared: {error}")
            return _save(nothing, evaluation)
        metric = task.measure(scored.labels, scored.scores[ORIGINAL])[project.primary_metric().name]
        judging = _Judging(project, settings, task, model, scored, rows, metric)
        compared = [
            each if isinstance(each, VariantRow) else _compare(judging, each, parities[each.row.name]) for each in made
        ]
        table = _time_and_choose(judging, replace(original, metric=_rounded(metric)), compared)
        if table.served != ORIGINAL:
            chosen = next(each for each in made if isinstance(each, _Made) and each.row.name == table.served)
            _sample(chosen.model, examples, evaluation)
            shutil.move(chosen.folder, evaluation / CHOSEN_VARIANT)
    return _save(table, evaluation)


def _save(table: VariantTable, evaluation: Path) -> VariantTable:
    table.save(evaluation)
    return table


def _sample(model: Model, examples: Path, evaluation: Path) -> None:
    sample: Sample | None = take_sample(model, examples)
    if sample:
        sample.save(evaluation / SAMPLE)


@contextmanager
def _aside(evaluation: Path) -> Iterator[Path]:
    """A folder for the variants, on the disk of the evaluation: the chosen one is moved there."""
    aside = evaluation / f"{CHOSEN_VARIANT}.made"
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _make_all(settings: Optimize, folder: Path, rows: Arrays, aside: Path) -> Iterator[_Made | VariantRow]:
    framework = framework_of(folder)
    kinds = {kind.name: kind for kind in framework.variants}
    for name in settings.named or tuple(kinds):
        if name not in kinds:  # the project names it, and a search over kinds of model chose one of another framework
            yield VariantRow(name, "", "not made", f"a model of {framework.name!r} has no such variant")
        else:
            yield _make(framework, kinds[name], folder, rows, aside / name)


def _make(framework: Framework, kind: VariantKind, folder: Path, rows: Arrays, target: Path) -> _Made | VariantRow:
    if missing := missing_packages(kind.packages):
        why = f"needs the extra {kind.extra!r} of Naru, which brings {', '.join(missing)}"
        return VariantRow(kind.name, kind.what, "not made", why)
    target.mkdir()
    try:
        framework.make_variant(kind.name, folder, target, rows)
        made = load_model(target)
        made.predict({name: values[:1] for name, values in rows.items()})
    except NaruError as error:
        return VariantRow(kind.name, kind.what, "not made", error.message)
    except Exception as error:  # noqa: BLE001 - whatever a converter raises, the model itself can be served
        return VariantRow(kind.name, kind.what, "not made", f"{type(error).__name__}: {first_line(error)}"[:300])
    return _Made(VariantRow(kind.name, kind.what, "passed", bytes=_size(target)), made, target)


def _compare(judging: _Judging, made: _Made, parity: Parity | NaruError) -> tuple[VariantRow, Model] | VariantRow:
    """Judge how far a variant's answers are from the model's; a row alone when it does not answer."""
    try:
        if isinstance(parity, NaruError):
            raise parity
        alone = differs_alone(made.model, judging.rows)
        unusual = describe_difference(
            judging.original,
            made.model,
            judging.task,
            judging.rows,
            judging.settings.max_difference,
            measure_spread(judging.task, judging.scored.scores[ORIGINAL]),
        )
    except NaruError as error:
        reason = (
            f"it fails on the rows that it is compared by: {f'{error.where}: ' if error.where else ''}{error.message}"
        )
        return replace(made.row, status="refused", reason=reason)
    row = replace(
        made.row,
        metric=None if math.isnan(parity.metric) else _rounded(parity.metric),
        difference=_rounded(parity.difference),
        relative=_rounded(parity.relative),
        changed_classes=None if parity.changed_classes is None else _rounded(parity.changed_classes),
    )
    problem = _too_far(judging, parity, alone) or unusual
    return (replace(row, status="refused", reason=problem) if problem else row), made.model


def _too_far(judging: _Judging, parity: Parity, alone: float) -> str:
    """Why a variant's answers are too far from the model's; empty when they are not."""
    settings, name = judging.settings, judging.project.primary_metric().name
    if math.isnan(parity.metric) and not math.isnan(judging.metric):
        return "some of its scores are not numbers, or the metric is not defined"
    if not parity.difference <= settings.max_difference:
        unit = "" if judging.task.has_classes else " standard deviations"
        return f"a score differs by {parity.difference:.3g}{unit}; at most {settings.max_difference:g} is allowed (max_difference)"
    changed = max(parity.changed_classes or 0.0, parity.changed_texts)
    if changed > settings.max_changed_classes:
        return f"{changed:.2%} of the rows have another class; at most {settings.max_changed_classes:.2%} may (max_changed_classes)"
    lost = -judging.project.primary_metric().gain(parity.metric, judging.metric)
    allowed = settings.max_metric_loss * abs(judging.metric)
    if lost > allowed:
        return f"{name} is worse by {lost:.3g}; at most {allowed:.3g} is allowed (max_metric_loss)"
    bound = judging.project.gates.serving.parity
    if alone > bound:
        return f"a row's answer depends on the other rows of a request: by {alone:.3g}; at most {bound:g} is allowed (gates.serving.parity)"
    return ""


def _time_and_choose(
    judging: _Judging, original: VariantRow, compared: list[tuple[VariantRow, Model] | VariantRow]
) -> VariantTable:
    """Time the variants that answer, those too that differ too much: a person may allow more for such a gain."""
    answering = {each[0].name: each[1] for each in compared if isinstance(each, tuple)}
    rows = [each if isinstance(each, VariantRow) else each[0] for each in compared]
    if answering:
        timings = measure_in_turns({ORIGINAL: judging.original, **answering}, judging.rows)
        original = _with_times(original, timings[ORIGINAL])
        rows = [
            _judge_times(judging, row, timings[ORIGINAL], timings[row.name]) if row.name in timings else row
            for row in rows
        ]
    count = len(judging.scored.labels)
    passed = [row for row in rows if row.status == "passed"]
    if not passed:
        return _keep_original(judging.project, judging.settings, [original, *rows], count, _why_none(rows))
    best = max(passed, key=lambda row: row.speedup or 0.0)
    faster = f"{best.name} is faster"
    for place, row in enumerate(rows):
        if row is best:
            rows[place] = replace(row, status="served", reason="the fastest that passes every bound")
        elif row.status == "passed":
            rows[place] = replace(row, reason=faster)
    far = f"differs from it by {best.difference:.2g} at most" if best.difference else "gives the same answers"
    why = f"{best.name} answers {best.speedup:.2f} times as fast as the model, and {far}"
    return _table(judging.project, judging.settings, [replace(original, reason=faster), *rows], count, best.name, why)


def _judge_times(judging: _Judging, row: VariantRow, original: Timings, variant: Timings) -> VariantRow:
    speedup = compare(original, variant)
    timed = _with_times(row, variant, speedup)
    problem = "" if row.status == "refused" else _too_slow(judging, variant, speedup)
    return replace(timed, status="refused", reason=problem) if problem else timed


def _too_slow(judging: _Judging, timings: Timings, speedup: Speedup) -> str:
    """Why a variant is not worth it by its times; empty when it is."""
    bound, wanted = judging.project.gates.serving.p95_ms, judging.settings.min_speedup
    if timings.p95_ms > bound:
        return f"the 95th percentile of one row is {timings.p95_ms:.3g} ms; at most {bound:g} is allowed (gates.serving.p95_ms)"
    if timings.unseen_ms > bound:
        return f"the first call with a new number of rows takes {timings.unseen_ms:.3g} ms; at most {bound:g} is allowed (gates.serving.p95_ms)"
    slower = min(speedup.by_rows, key=lambda rows: speedup.by_rows[rows])
    if speedup.by_rows[slower] < _MOST_SLOWER:
        what = "one row" if slower == ONE else f"{slower:,} rows"
        return f"it is slower for {what}: {speedup.by_rows[slower]:.2f} times as fast as the model"
    if speedup.median < wanted:
        return (
            f"it is {speedup.median:.2f} times as fast as the model; at least {wanted:g} times is wanted (min_speedup)"
        )
    if speedup.slowest <= 1.0:
        return f"its gain of {speedup.median:.2f} times is not above the noise: {speedup.slowest:.2f} times in the slowest rounds"
    return ""


def _why_none(rows: list[VariantRow]) -> str:
    """Say why the model itself is served: of the fastest variant that answers, else of the first."""
    if not rows:
        return "a model of this framework has no variants"
    timed = [row for row in rows if row.speedup is not None]
    if not timed:
        why = "could be made" if all(row.status == "not made" for row in rows) else "answers the rows as a model has to"
        return f"no variant {why}; {rows[0].name}: {rows[0].reason}"
    best = max(timed, key=lambda row: row.speedup or 0.0)
    return f"no variant is faster and passes every bound; the fastest, {best.name} ({best.speedup:.2f} times): {best.reason}"


def _keep_original(
    project: Project, settings: Optimize, entries: list[VariantRow], rows: int, reason: str
) -> VariantTable:
    first = replace(entries[0], status="served", reason=reason)
    return _table(project, settings, [first, *entries[1:]], rows, ORIGINAL, f"the model itself is served: {reason}")


def _table(
    project: Project, settings: Optimize, entries: list[VariantRow], rows: int, served: str, reason: str
) -> VariantTable:
    return VariantTable(
        served, reason, project.primary_metric().name, rows, settings.model_dump(mode="json"), tuple(entries)
    )


def _with_times(row: VariantRow, timings: Timings, speedup: Speedup | None = None) -> VariantRow:
    return replace(
        row,
        row_ms=_rounded(timings.median(ONE)),
        row_p95_ms=_rounded(timings.p95_ms),
        batch_ms=_rounded(timings.median(BATCH)),
        speedup=_rounded(speedup.median) if speedup else None,
        slowest_speedup=_rounded(speedup.slowest) if speedup else None,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.6g}") if math.isfinite(value) else 1e9


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in files_below(folder))
