"""Splits by time: the newest rows are test, borders are between distinct times, rows without a time are counted train rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.examples.split_definition import TimeSplit
from components._core.project.project_file import parse_project
from components._data.formats.csv import kept_blocks
from components.ingest.ingest import ingest_examples

Ingest = Callable[..., tuple[Outcome, dict[str, list[Any]]]]


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Ingest a source split by its column `t`; the outcome, and the times by split."""

    def run(source: str, by_time: str = "t", **data: Any) -> tuple[Outcome, dict[str, list[Any]]]:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        for name in ("examples", "quarantine"):
            (folder / name).mkdir(parents=True)
        raw = {"source": str(tmp_path / source), "quarantine_limit": 0.5, **data}
        raw["split"] = {"by_time": by_time, **data.get("split", {})}
        project = parse_project({"name": "p", "task": "regression", "label": "y", "data": raw})
        outcome = ingest_examples(project, examples=folder / "examples", quarantine=folder / "quarantine")
        found = {
            split: [
                time for batch in read_batches(folder / "examples", split, ["t"]) for time in batch["t"].to_pylist()
            ]
            for split in SPLITS
        }
        return outcome, found

    return run


def write(folder: Path, times: list[Any], name: str = "t.csv") -> None:
    lines = [f"{'' if time is None else time},{n},{n % 3}" for n, time in enumerate(times)]
    (folder / name).write_text("\n".join(["t,x,y", *lines]) + "\n")


TIMES: dict[str, list[Any]] = {
    "whole numbers": [(n * 37) % 200 for n in range(200)],
    "real numbers": [((n * 37) % 200) / 4 for n in range(200)],
    "dates": [f"2013-{1 + n // 28:02d}-{1 + n % 28:02d}" for n in ((k * 37) % 200 for k in range(200))],
    "times of day": [f"2013-05-01T{n // 60:02d}:{n % 60:02d}" for n in ((k * 37) % 200 for k in range(200))],
}


@pytest.mark.parametrize("kind", TIMES)
def test_the_newest_rows_are_test_those_before_them_eval_and_the_oldest_train(
    kind: str, tmp_path: Path, ingest: Ingest
) -> None:
    write(tmp_path, TIMES[kind])
    outcome, found = ingest("t.csv")
    assert {split: len(times) for split, times in found.items()} == {"train": 160, "eval": 20, "test": 20}
    assert max(found["train"]) < min(found["eval"]) <= max(found["eval"]) < min(found["test"])
    assert [check.status for check in outcome.checks if check.name == "time split"] == ["pass"]


def test_the_manifest_holds_the_borders(tmp_path: Path, ingest: Ingest) -> None:
    write(tmp_path, TIMES["dates"])
    ingest("t.csv")
    (manifest,) = tmp_path.glob("run-*/examples")
    definition = Manifest.load(manifest).split
    assert definition == TimeSplit("t", "2013-06-21 00:00:00", "2013-07-13 00:00:00", 0.8, 0.1, 0.1)


def test_rows_of_one_time_are_never_divided(tmp_path: Path, ingest: Ingest) -> None:
    write(tmp_path, [n // 40 for n in range(200)])
    outcome, found = ingest("t.csv")
    assert (set(found["train"]), set(found["eval"]), set(found["test"])) == ({0, 1, 2}, {3}, {4})
    (check,) = [check for check in outcome.checks if check.name == "time split"]
    assert check.status == "pass" and check.n == 200
    write(tmp_path, [0] * 5 + [1] * 5 + [2] * 190)
    outcome, found = ingest("t.csv")
    assert (set(found["train"]), set(found["eval"]), set(found["test"])) == ({0}, {1}, {2})
    assert "rows of one time stay together" in outcome.reason and outcome.verdict == "warn"


def test_borders_hold_over_all_spans_and_whatever_is_kept_of_them(
    tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, TIMES["dates"][:100], "s-1.csv")
    write(tmp_path, TIMES["dates"][100:], "s-2.csv")
    _, found = ingest("s-{span}.csv")
    assert sorted(found["test"]) == sorted(TIMES["dates"])[-20:]
    monkeypatch.setattr(kept_blocks, "KEPT_BYTES", 0)
    assert ingest("s-{span}.csv")[1] == found


def test_rows_without_a_time_are_train_rows_and_a_check_counts_them(tmp_path: Path, ingest: Ingest) -> None:
    write(tmp_path, [*TIMES["dates"], None, "soon"])
    outcome, found = ingest("t.csv")
    assert {None, "soon"} <= set(found["train"]) and len(found["test"]) == 20
    (check,) = [check for check in outcome.checks if check.name == "rows without a time"]
    assert (check.status, check.measured) == ("warn", 2.0) and "2 of 202 rows have no time in 't'" in outcome.reason


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["yesterday", "today", "soon"] * 50, "has 0 different times.*150 rows have none that can be read, such as 'yester"),
        ([1, 2] * 50, "has 2 different times"),
        ([None] * 50, "has 0 different times"),
    ],
)  # fmt: skip
def test_a_column_without_times_is_refused_with_what_is_allowed(
    times: list[Any], message: str, tmp_path: Path, ingest: Ingest
) -> None:
    write(tmp_path, times)
    with pytest.raises(DataError, match=rf"(?s)data\.split\.by_time: .*{message}.*ISO text"):
        ingest("t.csv")


@pytest.mark.parametrize("kind", TIMES)
def test_a_table_of_which_no_row_is_left_is_refused_with_its_rules(kind: str, tmp_path: Path, ingest: Ingest) -> None:
    write(tmp_path, TIMES[kind])
    with pytest.raises(
        DataError, match=r"data\.rows: no row is left: 200 rows left out by data\.rows \(x above -1: 200\)"
    ):
        ingest("t.csv", rows={"drop": [{"column": "x", "above": -1}]})


def test_timestamps_of_parquet_split_as_their_text_does(tmp_path: Path, ingest: Ingest) -> None:
    write(tmp_path, TIMES["times of day"])
    table = pa.table(
        {
            "t": pa.array(TIMES["times of day"]).cast(pa.timestamp("us")),
            "x": list(range(200)),
            "y": [n % 3 for n in range(200)],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    as_text, as_time = ingest("t.csv")[1], ingest("t.parquet")[1]
    assert [str(time)[-8:-3] for time in as_time["test"]] == [time[-5:] for time in as_text["test"]]


def test_few_times_among_many_rows_are_not_duplicates(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "t.csv").write_text("t,y\n" + "".join(f"{n // 100},{n // 900}\n" for n in range(1_000)))
    outcome, found = ingest("t.csv")
    assert set(found["test"]) == {9} and outcome.verdict == "warn"


def test_a_column_that_does_not_exist_and_two_ways_at_once_are_refused(tmp_path: Path, ingest: Ingest) -> None:
    write(tmp_path, TIMES["dates"])
    with pytest.raises(ConfigError, match=r"data\.split\.by_time: there is no column 'T'; did you mean 't'"):
        ingest("t.csv", by_time="T")
    with pytest.raises(ConfigError, match="give by or by_time, not both"):
        ingest("t.csv", split={"by": ["x"]})
