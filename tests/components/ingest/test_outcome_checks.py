"""Checks of the rows that were read: a span without rows, an unusable split."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Outcome
from components._core.errors import DataError
from components._core.project.project_file import parse_project
from components.ingest.ingest import ingest_examples

Ingest = Callable[..., Outcome]


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    def run(source: str, task: str = "binary_classification", **data: object) -> Outcome:
        for made in ("examples", "quarantine"):
            (tmp_path / made).mkdir()
        raw = {"name": "p", "task": task, "label": "y", "data": {"source": str(tmp_path / source), **data}}
        return ingest_examples(parse_project(raw), examples=tmp_path / "examples", quarantine=tmp_path / "quarantine")

    return run


def rows(count: int) -> str:
    return "".join(f"{n},{n % 2}\n" for n in range(count))


@pytest.mark.parametrize(
    ("empty", "message"), [(3, r"s-3\.csv \(the newest span\) has no rows"), (2, r"s-2\.csv has no rows")]
)
def test_a_span_without_rows_is_a_warning_in_the_line_that_a_person_sees(
    tmp_path: Path, ingest: Ingest, empty: int, message: str
) -> None:
    for span in (1, 2, 3):
        (tmp_path / f"s-{span}.csv").write_text("x,y\n" + ("" if span == empty else rows(300 + span)))
    outcome = ingest("s-{span}.csv")
    assert outcome.verdict == "warn"
    assert re.search(message, outcome.reason)


@pytest.mark.parametrize("distinct", [4, 12, 20])
def test_few_different_rows_are_named_when_a_split_cannot_judge_for_their_sake(
    tmp_path: Path, ingest: Ingest, distinct: int
) -> None:
    lines = "".join(f"{n % distinct},{int(n % distinct == 0)}\n" for n in range(600))
    (tmp_path / "t.csv").write_text("x,y\n" + lines)
    with pytest.raises(DataError, match=f"only {distinct} different rows among 600 rows"):
        ingest("t.csv")


def test_a_column_of_few_values_that_decides_the_split_is_named(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "t.csv").write_text("x,g,y\n" + "".join(f"{n},{n % 2},{n % 2}\n" for n in range(300)))
    with pytest.raises(DataError, match=r"only 2 different values of g among 300 rows(.|\n)*data\.split\.by"):
        ingest("t.csv", split={"by": ["g"]})


def test_a_rare_class_that_a_split_lacks_is_a_warning(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{n},{int(n == 7)}\n" for n in range(300)))
    outcome = ingest("t.csv")
    assert outcome.verdict == "warn"
    assert "split have one class, '0'" in outcome.reason


def test_a_test_split_of_few_different_rows_is_a_warning(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{n % 40},{n % 3}\n" for n in range(2_000)))
    outcome = ingest("t.csv", task="regression")
    assert outcome.verdict == "warn"
    assert "distinct ones: metrics on them are unreliable" in outcome.reason


def test_a_usual_table_has_no_such_warning(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + rows(500))
    assert ingest("t.csv").verdict == "ok"


def test_the_only_class_of_truth_values_is_named_as_everywhere(tmp_path: Path, ingest: Ingest) -> None:
    rows = pa.table({"x": list(range(2_000)), "y": [n < 1 for n in range(2_000)]})
    pq.write_table(rows, tmp_path / "t.parquet")
    assert "have one class, 'false'" in ingest("t.parquet").reason


def test_real_numbers_that_a_model_sees_as_one_are_few_different_rows(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{1 + n * 1e-12:.12f},{n % 2}\n" for n in range(1_000)))
    with pytest.raises(DataError, match="only 1 different rows among 1,000 rows"):
        ingest("t.csv")
