"""Champion and challenger whose rows were split by different definitions: compared on rows that neither was trained on, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from components._core.checks import Check
from components._core.examples import time_split
from components._core.examples.artifact import SPLITS, Manifest, SourceFile, split_file
from components._core.examples.hash_split import assign_splits, define_split, define_split_v1
from components._core.examples.split_definition import HashSplit, SplitDefinition, TimeSplit
from components._core.files import fingerprint_of
from components._core.project.split_config import Split
from components._core.store.file_digests import write_digests
from components._core.store.ledger import Deployment
from components._core.types.artifact_files import MANIFEST
from components.evaluate.evaluate import Judged
from components.evaluate.unseen_rows import _find_definition_v1, find_unseen
from tests.components.tiny_models import FEATURES, tiny_project, write_examples

TYPES = {"delay": "float32", "month": "int64", "carrier": "string", "noise": "float32", "y": "int64"}
NAMES = [feature.name for feature in FEATURES]
TODAY = define_split(Split(), NAMES)
OTHER = define_split(Split(train=0.5, eval=0.1, test=0.4), ["delay", "month"])
FILES = [SourceFile("t.csv", 1, 2_400, 0, 1, "0" * 64)]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pa.RecordBatch:
    """The rows of both splits of the tiny examples."""
    folder = write_examples(tmp_path_factory.mktemp("tiny"), "binary_classification")
    tables = [pq.read_table(split_file(folder, split, 1)) for split in ("train", "test")]
    return pa.concat_tables(tables).combine_chunks().to_batches()[0]


@pytest.fixture
def examples(rows: pa.RecordBatch, tmp_path: Path) -> Path:
    """The same rows, split as today."""
    return split_rows(rows, TODAY, tmp_path / "examples")


def split_rows(rows: pa.RecordBatch, definition: SplitDefinition, folder: Path) -> Path:
    """Write rows as ingest would, split by a definition."""
    is_by_time = isinstance(definition, TimeSplit)
    numbers = time_split.assign_splits(rows, definition) if is_by_time else assign_splits(rows, definition)
    for number, split in enumerate(SPLITS):
        path = split_file(folder, split, 1)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_batches([rows.filter(pa.array(numbers == number))]), path)
    counts = {split: int((numbers == number).sum()) for number, split in enumerate(SPLITS)}
    Manifest("f" * 32, TYPES, counts, [1], FILES, definition).save(folder)
    return folder


def manifest_v1(split: Split, order: list[str]) -> Manifest:
    """Create a manifest as written under rule 1."""
    how = json.dumps(
        ["1", {name: TYPES[name] for name in order}, "y", split.model_dump(include={"train", "eval", "test", "by"})]
    )
    return Manifest(fingerprint_of([how, f"1 {'0' * 64}"]), TYPES, {}, [1], FILES)


def champion(folder: Path, model: Path, manifest: Manifest | None) -> Deployment:
    """A champion with its manifest beside its model."""
    folder.mkdir()
    (folder / "model").symlink_to(model)
    split = ""
    if manifest is not None:
        manifest.save(folder)
        split = manifest.split.fingerprint if manifest.split else ""
    return replace(
        Deployment("3", str(folder / "model"), "", "", {}, "", "run", "2026-01-01T00:00:00+00:00", "test", "test"),
        split=split,
    )


@pytest.mark.parametrize(
    ("manifest", "definition"),
    [
        (Manifest("f", TYPES, {}, [1], FILES, OTHER), OTHER),
        (manifest_v1(Split(), list(TYPES)), define_split_v1(Split(), list(TYPES))),
        (
            manifest_v1(Split(train=0.6, eval=0.2, test=0.2), list(TYPES)),
            define_split_v1(Split(train=0.6, eval=0.2, test=0.2), list(TYPES)),
        ),
    ],
)
def test_test_rows_of_both_definitions_are_the_unseen_ones(
    manifest: Manifest, definition: HashSplit, examples: Path, tmp_path: Path
) -> None:
    unseen, problem = find_unseen(champion(tmp_path / "c", tmp_path, manifest), examples, "y")
    (test,) = pq.read_table(split_file(examples, "test", 1)).combine_chunks().to_batches()
    assert not problem and unseen is not None
    assert unseen.tolist() == (assign_splits(test, definition) == 2).tolist()
    assert 0 < unseen.sum() < len(unseen)


def test_the_columns_by_which_rule_1_split_are_found_in_their_order(rows: pa.RecordBatch, tmp_path: Path) -> None:
    examples = split_rows(rows, define_split(Split(by=["month", "delay"]), NAMES), tmp_path / "by")
    then = manifest_v1(Split(by=["month", "delay"]), list(TYPES))
    unseen, _ = find_unseen(champion(tmp_path / "c", tmp_path, then), examples, "y")
    (test,) = pq.read_table(split_file(examples, "test", 1)).combine_chunks().to_batches()
    expected = assign_splits(test, define_split_v1(Split(by=["month", "delay"]), list(TYPES))) == 2
    assert unseen is not None and unseen.tolist() == expected.tolist()


def test_equal_definitions_need_no_manifest(examples: Path, tmp_path: Path) -> None:
    deployment = replace(champion(tmp_path / "c", tmp_path, None), split=TODAY.fingerprint)
    assert find_unseen(deployment, examples, "y") == (None, "")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (None, "cannot be read"),
        (manifest_v1(Split(train=0.5, eval=0.25, test=0.25), list(TYPES)), "are unknown"),
        (manifest_v1(Split(), list(reversed(TYPES))), "are unknown"),
        (replace(manifest_v1(Split(), list(TYPES)), columns={**TYPES, "gone": "int64"}), "are unknown"),
        (Manifest("f", TYPES, {}, [1], FILES, replace(OTHER, columns=("delay", "gone"))), "no longer has: gone"),
        (Manifest("f", TYPES, {}, [1], FILES, replace(OTHER, rule=3)), "rule 3"),
    ],
)
def test_a_split_that_cannot_be_followed_gives_no_baseline(
    manifest: Manifest | None, message: str, examples: Path, model: Callable[..., Path], judged: Any, tmp_path: Path
) -> None:
    deployment = champion(tmp_path / "c", model(delay_weight=0.02), manifest)
    found = judged(champion=json.dumps(asdict(deployment)), rows=examples)
    check = find_check(found)
    assert check.status == "no_baseline" and message in check.reason and "not compared with champion v3" in check.reason


def test_a_damaged_manifest_gives_no_baseline(
    examples: Path, model: Callable[..., Path], judged: Any, tmp_path: Path
) -> None:
    deployment = champion(tmp_path / "c", model(delay_weight=0.02), None)
    for content in ("{", "{}", "[]", '{"files": 3}'):
        (tmp_path / "c" / MANIFEST).write_text(content)
        assert find_unseen(deployment, examples, "y")[1]


def test_a_manifest_that_is_not_the_registered_one_gives_no_baseline(examples: Path, tmp_path: Path) -> None:
    manifest = Manifest("f", TYPES, {}, [1], FILES, OTHER)
    deployment = champion(tmp_path / "c", tmp_path / "nothing", manifest)
    registered = replace(deployment, registration_sha256=write_digests(tmp_path / "c"))
    assert not find_unseen(registered, examples, "y")[1]
    replace(manifest, split=TODAY).save(tmp_path / "c")
    assert "cannot be read" in find_unseen(registered, examples, "y")[1]
    assert not find_unseen(deployment, examples, "y")[1], "an earlier Naru registered no digests"


def test_models_are_compared_on_the_rows_that_neither_was_trained_on(
    examples: Path, model: Callable[..., Path], judged: Any, tmp_path: Path
) -> None:
    deployment = champion(tmp_path / "c", model(delay_weight=0.02), Manifest("f", TYPES, {}, [1], FILES, OTHER))
    unseen, _ = find_unseen(deployment, examples, "y")
    assert unseen is not None
    project = tiny_project(slice_min_rows=20)
    found = judged(project, champion=json.dumps(asdict(deployment)), rows=examples)
    check = find_check(found)
    assert check.n == unseen.sum() and f"on {unseen.sum()} of {len(unseen)} test rows" in check.reason
    assert check.measured != found.outcome.metrics["auc"] and check.baseline is not None
    html = (tmp_path / "evaluation.html").read_text()
    assert "Compared on rows that neither was trained on" in html and "compared on rows" in html


def test_too_few_rows_that_neither_was_trained_on_give_no_baseline(
    examples: Path, model: Callable[..., Path], judged: Any, tmp_path: Path
) -> None:
    deployment = champion(tmp_path / "c", model(delay_weight=0.02), Manifest("f", TYPES, {}, [1], FILES, OTHER))
    found = judged(tiny_project(slice_min_rows=2_000), champion=json.dumps(asdict(deployment)), rows=examples)
    check = find_check(found)
    assert check.status == "no_baseline" and "gates.model.slice_min_rows" in check.reason


def find_check(judged: Judged) -> Check:
    return next(check for check in judged.outcome.checks if check.name == "champion")


def test_the_store_of_an_earlier_naru_says_how_its_rows_were_split() -> None:
    folder = Path(__file__).parents[2] / "upgrade" / "made_by_fcdfe89"
    manifests = sorted(folder.rglob(MANIFEST))
    assert manifests
    for path in manifests:
        manifest = Manifest.from_json(json.loads(path.read_text()))
        order = (folder / "parcels-1.csv").read_text().splitlines()[0].split(",")
        definition = _find_definition_v1(manifest, manifest, "late", order)
        assert definition is not None and definition.rule == 1
        tables = [pa.csv.read_csv(folder / f"parcels-{span}.csv") for span in manifest.spans]
        table = pa.concat_tables(tables)
        weight = table.column_names.index("weight")
        table = table.set_column(weight, "weight", table["weight"].cast(pa.float32()))
        (batch,) = table.combine_chunks().to_batches()
        found = np.bincount(assign_splits(batch, definition), minlength=3).tolist()
        assert found == [manifest.rows[split] for split in SPLITS]


def by_time(eval_from: float, test_from: float) -> TimeSplit:
    return TimeSplit("delay", eval_from, test_from, 0.8, 0.1, 0.1)


def test_rows_that_a_champion_by_hash_trained_on_do_not_judge_a_challenger_by_time(
    rows: pa.RecordBatch, tmp_path: Path
) -> None:
    examples = split_rows(rows, by_time(20.0, 30.0), tmp_path / "examples")
    then = Manifest("f", TYPES, {}, [1], FILES, OTHER)
    unseen, problem = find_unseen(champion(tmp_path / "c", tmp_path, then), examples, "y")
    (test,) = pq.read_table(split_file(examples, "test", 1)).combine_chunks().to_batches()
    assert not problem and unseen is not None and test.num_rows
    assert unseen.tolist() == (assign_splits(test, OTHER) == 2).tolist()
    assert 0 < unseen.sum() < len(unseen)


def test_only_rows_from_the_border_of_a_champion_by_time_on_are_unseen(
    rows: pa.RecordBatch, examples: Path, tmp_path: Path
) -> None:
    then = Manifest("f", TYPES, {}, [1], FILES, by_time(20.0, 30.0))
    deployment = champion(tmp_path / "c", tmp_path, then)
    unseen, problem = find_unseen(deployment, examples, "y")
    delays = pq.read_table(split_file(examples, "test", 1))["delay"].to_pylist()
    assert not problem and unseen is not None
    assert unseen.tolist() == [delay is not None and delay >= 30.0 for delay in delays]
    assert 0 < unseen.sum() < len(unseen)
    again = split_rows(rows, by_time(20.0, 30.0), tmp_path / "again")
    assert find_unseen(deployment, again, "y") == (None, ""), "equal borders leave the same rows unseen"
    earlier = split_rows(rows, by_time(10.0, 20.0), tmp_path / "earlier")
    unseen, _ = find_unseen(deployment, earlier, "y")
    delays = pq.read_table(split_file(earlier, "test", 1))["delay"].to_pylist()
    assert unseen is not None and unseen.tolist() == [delay >= 30.0 for delay in delays] and not unseen.all()


def test_a_split_of_an_unknown_kind_gives_no_baseline(examples: Path, tmp_path: Path) -> None:
    deployment = champion(tmp_path / "c", tmp_path, Manifest("f", TYPES, {}, [1], FILES, by_time(1.0, 2.0)))
    path = tmp_path / "c" / MANIFEST
    path.write_text(path.read_text().replace('"time"', '"place"'))
    assert "cannot be read" in find_unseen(deployment, examples, "y")[1]
