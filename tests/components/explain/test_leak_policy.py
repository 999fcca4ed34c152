"""Which models a feature that alone predicts the label keeps from being registered: `gates.model.leaks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Outcome
from components._core.examples.artifact import Manifest, split_file
from components._core.files import write_json
from components._core.types.artifact_files import COMPARED, OUTCOME
from components._core.types.signature import Feature
from components.explain.explain import explain_model
from tests.components.tiny_models import tiny_project, write_examples, write_model

TASK = "binary_classification"


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Examples in which `paid` is the label, and a model that takes it."""
    examples = write_examples(tmp_path_factory.mktemp("rows"), TASK)
    for split in ("train", "test"):
        path = split_file(examples, split, 1)
        table = pq.read_table(path)
        pq.write_table(table.append_column("paid", table["y"].cast(pa.float32())), path)
    manifest = Manifest.load(examples)
    manifest.columns["paid"] = "float32"
    manifest.save(examples)
    return examples, write_model(tmp_path_factory.mktemp("model"), TASK, more=(Feature("paid", "float32", False),))


@pytest.mark.parametrize(
    ("policy", "champion", "verdict"),
    [
        ({}, None, "blocked"),
        ({"first": "deploy"}, None, "warn"),
        ({"leaks": "warn"}, None, "warn"),
        ({}, ["3", "models/3/model"], "warn"),
        ({"leaks": "block"}, ["3", "models/3/model"], "blocked"),
        ({"leaks": "block", "first": "deploy"}, None, "blocked"),
    ],
)
def test_a_leak_blocks_where_the_policy_says_so(
    policy: dict[str, Any], champion: list[str] | None, verdict: str, leaking: tuple[Path, Path], tmp_path: Path
) -> None:
    examples, model = leaking
    Outcome().save(tmp_path / OUTCOME)
    write_json(tmp_path / COMPARED, {"champion": champion})
    (tmp_path / "explanation").mkdir()
    outcome = explain_model(
        tiny_project(**policy),
        examples=examples,
        model=model,
        evaluation=tmp_path,
        explanation=tmp_path / "explanation",
        page=tmp_path / "page.html",
    )
    assert outcome.verdict == verdict
    (check,) = [check for check in outcome.checks if check.name == "leaks"]
    assert "paid alone predicts the label" in check.reason
