"""Optimised variants: the fastest that answers like the model is chosen, any other is a row of the table with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.checks import Outcome
from components._core.errors import ModelError
from components._core.examples.artifact import read_head
from components._core.examples.samples import Sample
from components._core.store.file_digests import list_digests, verify_model, write_digests
from components._core.store.ledger import Deployment
from components._core.types.artifact_files import CHOSEN_VARIANT, SAMPLE, VARIANT, VARIANTS
from components._core.types.signature import to_arrays
from components._core.types.tasks import TASKS
from components._core.types.variant_table import ServedVariant, VariantRow, VariantTable
from components._frameworks.contract import Arrays, Model
from components._frameworks.onnx import framework as onnx_framework
from components._frameworks.onnx_models import onnx_variants
from components._frameworks.table import load_model
from components.evaluate import variants
from components.evaluate.evaluate import evaluate_model
from components.evaluate.variant_latency import BATCH, ONE, Timings, compare, measure_in_turns
from components.evaluate.variant_parity import Parity, differs_alone, measure_parity
from components.evaluate.variants import choose_variant
from tests.components.wide_network import FEATURES, wide_project, write_network, write_wide_examples

Choose = Callable[..., VariantTable]
BINARY = TASKS["binary_classification"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("network") / "model", width=48, steepness=0.5)


@pytest.fixture(scope="module")
def examples(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wide_examples(tmp_path_factory.mktemp("rows") / "examples", model, rows=600)


def times(
    row: float = 1.0, batch: float = 4.0, *, p95: float = 1.0, unseen: float = 1.0, noise: float = 0.0
) -> Timings:
    """Nine rounds; with noise, every other round takes longer by that share."""
    factors = [1.0 + noise * (number % 2) for number in range(9)]
    return Timings({ONE: [row * f for f in factors], BATCH: [batch * f for f in factors]}, p95, unseen)


@pytest.fixture
def choose(model: Path, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """Choose among the variants, whose times are given: those of this machine would decide otherwise on a busy one."""

    def run(optimize: Any = "auto", taken: Mapping[str, Timings] | None = None, **gates: Any) -> VariantTable:
        given = {"original": times(), "int8": times(0.5, 2.0), "float16": times(0.8, 3.5), **(taken or {})}
        monkeypatch.setattr(variants, "measure_in_turns", lambda models, rows: {name: given[name] for name in models})
        project = wide_project(optimize, **gates)
        assert project.serve.optimize is not None
        (tmp_path / "evaluation").mkdir()
        return choose_variant(
            project, project.serve.optimize, BINARY, model, load_model(model), examples, tmp_path / "evaluation"
        )

    return run


def entry(table: VariantTable, name: str) -> VariantRow:
    return next(each for each in table.entries if each.name == name)


LENIENT = {"variants": "auto", "max_difference": 0.1, "max_changed_classes": 0.1, "max_metric_loss": 0.1}


def test_the_fastest_variant_within_every_bound_is_chosen(choose: Choose, examples: Path, tmp_path: Path) -> None:
    table = choose(LENIENT)
    assert (table.served, entry(table, "int8").status, entry(table, "float16").status) == ("int8", "served", "passed")
    assert entry(table, "int8").speedup == pytest.approx(2.0)
    assert table.reason.startswith("int8 answers 2.00 times as fast as the model, and differs from it by ")
    assert VariantTable.load(tmp_path / "evaluation") == table
    chosen = tmp_path / "evaluation" / CHOSEN_VARIANT
    verify_model(chosen)
    sample = Sample.load(tmp_path / "evaluation" / SAMPLE)
    answers = load_model(chosen).predict(to_arrays(sample.rows, FEATURES))
    assert sample.outputs["probability"] == pytest.approx(answers["probability"], abs=1e-6)
    assert sorted(path.name for path in (tmp_path / "evaluation").iterdir()) == [
        SAMPLE,
        CHOSEN_VARIANT,
        "variants.json",
    ]


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ({"max_difference": 1e-6}, r"a score differs by 0\.\d+; at most 1e-06 is allowed \(max_difference\)"),
        ({"max_changed_classes": 0.0}, r"0\.\d+% of the rows have another class; at most 0\.00% may"),
        ({"min_speedup": 3}, r"it is 2\.00 times as fast as the model; at least 3 times is wanted"),
    ],
)
def test_a_variant_outside_of_a_bound_is_refused_and_the_model_itself_served(
    choose: Choose, tmp_path: Path, bound: dict[str, float], reason: str
) -> None:
    table = choose({**LENIENT, "variants": ["int8"], **bound})
    refused = entry(table, "int8")
    assert (table.served, refused.status) == ("original", "refused")
    assert re.match(reason, refused.reason)
    assert entry(table, "original").status == "served" and refused.reason in table.reason
    assert not (tmp_path / "evaluation" / CHOSEN_VARIANT).exists()


def test_a_variant_with_a_worse_metric_is_refused(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    def turn_round(name: str, model: Path, folder: Path, rows: Arrays) -> None:
        folder.rmdir()
        write_network(folder, width=48, steepness=-0.5)

    monkeypatch.setattr(onnx_framework.FRAMEWORK, "make_variant", turn_round)
    allowed = {"max_difference": 1.0, "max_changed_classes": 1.0, "max_metric_loss": 0.01}
    refused = entry(choose({"variants": ["int8"], **allowed}), "int8")
    assert re.match(r"auc is worse by 0\.\d+; at most 0\.00\d+ is allowed \(max_metric_loss\)", refused.reason)


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        (times(1.2, 1.0), "it is slower for one row: 0.83 times as fast as the model"),
        (times(0.2, 5.0), "it is slower for 1,000 rows: 0.80 times as fast as the model"),
        (times(0.5, 2.0, p95=101.0), "the 95th percentile of one row is 101 ms; at most 100 is allowed"),
        (times(0.5, 2.0, unseen=250.0), "the first call with a new number of rows takes 250 ms; at most 100"),
    ],
)
def test_a_variant_is_refused_by_its_times(choose: Choose, taken: Timings, reason: str) -> None:
    gates = {"gates": {"serving": {"p95_ms": 100}}}
    table = choose({**LENIENT, "variants": ["int8"]}, {"int8": taken}, **gates)
    assert entry(table, "int8").reason.startswith(reason) and table.served == "original"


def test_a_gain_that_some_rounds_do_not_show_is_noise(choose: Choose) -> None:
    slow, fast = times(), times(0.5, 2.0)
    mixed = Timings({rows: [*fast.rounds[rows][:6], 9.0, 9.0, 9.0] for rows in (ONE, BATCH)}, 1.0, 1.0)
    table = choose({**LENIENT, "variants": ["int8"]}, {"original": slow, "int8": mixed})
    assert "is not above the noise" in entry(table, "int8").reason and table.served == "original"


def test_a_variant_that_crashes_while_it_is_made_is_a_row_and_not_the_end(
    choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(name: str, model: Path, folder: Path, rows: Arrays) -> None:
        if name == "float16":
            raise RuntimeError("the converter stumbled\nover a node")
        onnx_variants.make_variant(name, model, folder, rows)

    monkeypatch.setattr(onnx_framework.FRAMEWORK, "make_variant", crash)
    table = choose(LENIENT)
    crashed = entry(table, "float16")
    assert (crashed.status, crashed.reason) == ("not made", "RuntimeError: the converter stumbled")
    assert table.served == "int8"


def test_a_variant_whose_answers_depend_on_other_rows_is_refused(
    choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_variants, "_fix_ranges", lambda model, *_: model)
    refused = entry(choose({**LENIENT, "variants": ["int8"]}), "int8")
    assert refused.status == "refused" and "depends on the other rows of a request" in refused.reason


def test_a_variant_that_gives_no_number_for_a_number_far_beyond_those_of_training_is_refused(
    choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bounded(_Shifted):
        """Ends where float16 does; whether onnxruntime calculates in it is for the machine to say."""

        def predict(self, arrays: Arrays) -> Arrays:
            found = super().predict(arrays)["probability"]
            return {"probability": np.where(np.abs(arrays["x0"].ravel()) > 1_000, np.float32(np.nan), found)}

    monkeypatch.setattr(variants, "load_model", lambda folder: Bounded(load_model(folder), 0.0))
    refused = entry(choose(LENIENT), "float16")
    assert refused.status == "refused" and refused.difference is not None and refused.difference < 0.02  # on eval rows
    assert refused.reason == (
        "its score is not a number for a number 1,000 times as large as any training row's in 'x0', where the model's is"
    )


@pytest.mark.parametrize(
    ("shape", "reason"), [((-1, 1), "output probability: has shape"), (None, "output probability: is missing")]
)
def test_a_variant_that_answers_in_another_shape_is_refused(
    choose: Choose, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...] | None, reason: str
) -> None:
    class Reshaped(_Shifted):
        def predict(self, arrays: Arrays) -> Arrays:
            found = self._model.predict(arrays)["probability"]
            return {} if shape is None else {"probability": found.reshape(shape)}

    monkeypatch.setattr(variants, "load_model", lambda folder: Reshaped(load_model(folder), 0.0))
    table = choose({**LENIENT, "variants": ["int8"]})
    assert table.served == "original" and reason in entry(table, "int8").reason
    assert "no variant answers the rows as a model has to; int8: it fails" in table.reason


def test_a_row_alone_whose_answer_is_not_a_number_differs(model: Path, examples: Path) -> None:
    class NoneAlone(_Shifted):
        def predict(self, arrays: Arrays) -> Arrays:
            found = super().predict(arrays)["probability"]
            return {"probability": np.full_like(found, np.nan) if len(found) == 1 else found}

    rows = to_arrays(read_head(examples, "eval", 20, [each.name for each in FEATURES]), FEATURES)
    assert differs_alone(NoneAlone(load_model(model), 0.0), rows) == float("inf")


def test_without_labelled_eval_rows_nothing_is_chosen(
    model: Path, tmp_path: Path, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = wide_project()
    assert project.serve.optimize is not None
    without = project.model_copy(update={"label": "x0"})  # its values are none of the classes
    (tmp_path / "evaluation").mkdir()
    table = choose_variant(
        without, project.serve.optimize, BINARY, model, load_model(model), examples, tmp_path / "evaluation"
    )
    assert table.served == "original" and "nothing can be compared" in table.reason


class _Shifted(Model):
    """A model whose answers are another's, moved by a known amount in some rows."""

    def __init__(self, model: Model, shift: float) -> None:
        self.signature, self._model, self._shift = model.signature, model, shift

    def predict(self, arrays: Arrays) -> Arrays:
        found = self._model.predict(arrays)["probability"].copy()
        found[::3] += np.float32(self._shift)
        return {"probability": found}


def test_parity_is_what_a_loop_over_the_rows_finds(model: Path, examples: Path) -> None:
    original = load_model(model)
    shifted = _Shifted(original, 0.03)
    scored, parities = measure_parity(wide_project(), BINARY, original, {"shifted": shifted}, examples)
    found, expected = parities["shifted"], scored.scores["original"]
    assert isinstance(found, Parity)
    rows = to_arrays(read_head(examples, "eval", 600, [each.name for each in FEATURES]), FEATURES)
    theirs = shifted.predict(rows)["probability"]
    worst, relative, changed = 0.0, 0.0, 0
    for one, other in zip(expected.tolist(), theirs.tolist(), strict=True):
        worst = max(worst, abs(one - other))
        relative = max(relative, abs(one - other) / one)
        changed += (one >= 0.5) != (other >= 0.5)
    assert (found.rows, found.changed_classes) == (600, changed / 600)
    assert found.difference == pytest.approx(worst) and found.relative == pytest.approx(relative)
    assert found.by_output == {"probability": pytest.approx(0.03, abs=1e-6)}
    assert found.metric == pytest.approx(BINARY.measure(scored.labels, theirs)["auc"])
    alone = {name: values[:50] for name, values in rows.items()}
    assert differs_alone(original, alone) < 1e-6 < 0.02 < differs_alone(shifted, alone)


def test_the_model_is_asked_once_for_all_variants_and_a_failing_one_spoils_no_other(
    model: Path, examples: Path
) -> None:
    asked: list[int] = []

    class Counted(_Shifted):
        def predict(self, arrays: Arrays) -> Arrays:
            asked.append(len(arrays["x0"]))
            return super().predict(arrays)

    class Failing(_Shifted):
        def predict(self, arrays: Arrays) -> Arrays:
            raise ModelError("it fails")

    original = load_model(model)
    models = {"near": _Shifted(original, 0.01), "failing": Failing(original, 0.0), "far": _Shifted(original, 0.03)}
    _, found = measure_parity(wide_project(), BINARY, Counted(original, 0.0), models, examples)
    assert sum(asked) == 600
    near, failing, far = found["near"], found["failing"], found["far"]
    assert isinstance(failing, ModelError) and failing.message == "it fails"
    assert isinstance(near, Parity) and near.difference == pytest.approx(0.01, abs=1e-6)
    assert isinstance(far, Parity) and far.difference == pytest.approx(0.03, abs=1e-6)


def test_a_speedup_is_the_median_of_the_rounds_and_its_slowest_but_one() -> None:
    original = Timings({ONE: [1.0] * 9, BATCH: [8.0] * 9}, 1.0, 1.0)
    variant = Timings({ONE: [0.5] * 9, BATCH: [1.0, 2.0, 4.0, 8.0, 1.0, 2.0, 4.0, 8.0, 16.0]}, 1.0, 1.0)
    found = compare(original, variant)
    together = sorted((2.0 * 8.0 / batch) ** 0.5 for batch in variant.rounds[BATCH])
    assert found.median == pytest.approx(together[4]) and found.slowest == pytest.approx(together[1])
    assert found.by_rows == {ONE: 2.0, BATCH: 2.0}


def test_models_are_timed_in_turns(model: Path, examples: Path) -> None:
    calls: list[str] = []

    class Noted(_Shifted):
        def __init__(self, name: str) -> None:
            super().__init__(load_model(model), 0.0)
            self.name = name

        def predict(self, arrays: Arrays) -> Arrays:
            calls.append(self.name)
            return super().predict(arrays)

    rows = to_arrays(read_head(examples, "train", 20, [each.name for each in FEATURES]), FEATURES)
    timed = measure_in_turns({"a": Noted("a"), "b": Noted("b")}, rows)
    assert {len(timed[name].rounds[ONE]) for name in "ab"} == {9} and timed["a"].median(ONE) > 0
    turns = [name for place, name in enumerate(calls) if not place or calls[place - 1] != name]
    assert len(turns) >= 9  # never one model's calls all together


def test_a_model_that_fails_itself_ends_the_stage(model: Path, examples: Path, tmp_path: Path) -> None:
    class Failing(_Shifted):
        def predict(self, arrays: Arrays) -> Arrays:
            raise ModelError("it fails")

    project = wide_project()
    assert project.serve.optimize is not None
    (tmp_path / "evaluation").mkdir()
    failing = Failing(load_model(model), 0.0)
    with pytest.raises(ModelError, match="it fails"):
        choose_variant(project, project.serve.optimize, BINARY, model, failing, examples, tmp_path / "evaluation")


def test_the_table_survives_its_file(tmp_path: Path) -> None:
    rows = (VariantRow("original", "", "served"), VariantRow("int8", "smaller", "refused", "too far", 0.9, 0.1))
    table = VariantTable("original", "why", "auc", 7, {"variants": "auto"}, rows)
    table.save(tmp_path)
    assert VariantTable.load(tmp_path) == table
    assert VariantTable.load(tmp_path / "elsewhere") is None
    assert replace(table, served="int8") != table


def evaluate(
    model: Path, examples: Path, evaluation: Path, optimize: Any = LENIENT, champion: Path | None = None
) -> Outcome:
    evaluation.mkdir()
    line = Deployment("3", str(champion), "", "", {}, "f", "run", "2026-01-01T00:00:00+00:00", "me", "a test")
    judged = evaluate_model(
        wide_project(optimize),
        champion="none" if champion is None else json.dumps(asdict(line)),
        examples=examples,
        model=model,
        evaluation=evaluation,
        page=evaluation.with_suffix(".html"),
    )
    return judged.outcome


def as_champion(model: Path, folder: Path, settings: dict[str, Any]) -> Path:
    """Another model in service, as the variant of this one."""
    write_network(folder, width=48, steepness=0.49)
    ServedVariant("int8", settings, list_digests(model)).save(folder / VARIANT)
    write_digests(folder)
    return folder


def test_evaluate_shows_the_table_on_its_page_and_keeps_the_outcome_repeatable(
    model: Path, examples: Path, tmp_path: Path
) -> None:
    outcome = evaluate(model, examples, tmp_path / "with")
    assert outcome.verdict in ("ok", "warn")
    assert "Optimised variants" in (tmp_path / "with.html").read_text()
    assert evaluate(model, examples, tmp_path / "without", optimize="off") == outcome
    assert "Optimised variants" not in (tmp_path / "without.html").read_text()
    assert not (tmp_path / "without" / VARIANTS).exists()
    assert (tmp_path / "with" / "page.json").read_bytes() == (tmp_path / "without" / "page.json").read_bytes()


def test_a_champion_that_is_a_variant_of_the_same_model_means_that_nothing_changed(
    model: Path, examples: Path, tmp_path: Path
) -> None:
    settings = wide_project().serve.optimize
    assert settings is not None
    champion = as_champion(model, tmp_path / "champion", settings.model_dump(mode="json"))
    outcome = evaluate(model, examples, tmp_path / "evaluation", "auto", champion)
    assert outcome.verdict == "skipped" and outcome.reason.startswith("nothing changed since version 3")
    assert not (tmp_path / "evaluation" / VARIANTS).exists()


@pytest.mark.parametrize("optimize", ["off", {"variants": ["int8"], "max_difference": 0.5}])
def test_another_setting_makes_a_version_of_the_same_model(
    optimize: Any, model: Path, examples: Path, tmp_path: Path
) -> None:
    champion = as_champion(model, tmp_path / "champion", {"variants": "auto"})
    outcome = evaluate(model, examples, tmp_path / "evaluation", optimize, champion)
    check = next(check for check in outcome.checks if check.name == "champion")
    assert check.status == "pass" and check.reason == "the model of champion v3, with another serve.optimize"
