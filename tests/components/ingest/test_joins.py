"""What `data.join` brings is part of the rows, of the manifest and of what decides whether a span is read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.project_file import parse_project
from components.ingest.check_source import check_source
from components.ingest.ingest import ingest_examples

ROWS = 72
JOIN: dict[str, Any] = {"on": "station", "time": "at", "row_time": "t"}


def write(folder: Path, hours: int = 24, temp: int = 0) -> dict[str, Any]:
    """Write flights of three stations and the weather of two; the flights of one hour lie before all weather."""
    flights = [f"{'abc'[n % 3]},2024-01-01T{n // 3:02d}:30,{n % 7},{n % 5}" for n in range(ROWS)]
    (folder / "t.csv").write_text("\n".join(["station,t,x,y", *flights]) + "\n")
    weather = [f"{station},2024-01-01T{hour:02d}:00,{hour + temp}" for station in "ab" for hour in range(1, hours)]
    (folder / "w.csv").write_text("\n".join(["station,at,temp", *weather]) + "\n")
    return {"source": str(folder / "t.csv"), "join": [{"source": str(folder / "w.csv"), **JOIN}]}


def project(data: dict[str, Any], **changes: Any) -> Any:
    return parse_project({"name": "p", "task": "regression", "label": "y", "data": data, **changes})


def ingest(folder: Path, data: dict[str, Any], **changes: Any) -> tuple[Outcome, Manifest, list[dict[str, Any]]]:
    examples, quarantine = folder / "examples", folder / "quarantine"
    for made in (examples, quarantine):
        made.mkdir(parents=True)
    outcome = ingest_examples(project(data, **changes), examples=examples, quarantine=quarantine)
    batches = [batch for split in SPLITS for batch in read_batches(examples, split)]
    return outcome, Manifest.load(examples), pa.Table.from_batches(batches).to_pylist()


def test_the_rows_have_the_columns_and_a_person_hears_of_those_without_a_match(tmp_path: Path) -> None:
    outcome, manifest, rows = ingest(tmp_path / "run", write(tmp_path))
    for row in rows:
        hour = int(row["t"][11:13])
        assert row["temp"] == (None if row["station"] == "c" or not hour else hour)
    unmatched = sum(row["temp"] is None for row in rows)
    assert outcome.verdict == "warn"
    assert f"1 column of w.csv joined; join w.csv: {unmatched} of 72 rows without a match" in outcome.reason
    assert manifest.columns == {"station": "string", "t": "string", "x": "int64", "y": "int64", "temp": "int64"}
    (joined,) = manifest.joined
    assert (joined.name, joined.columns, joined.unmatched) == ("w.csv", {"temp": "temp"}, unmatched)
    assert [(file.path, file.rows, len(file.sha256)) for file in joined.files] == [("w.csv", 46, 64)]


def test_a_share_of_the_rows_may_have_no_match(tmp_path: Path) -> None:
    data = write(tmp_path)
    assert ingest(tmp_path / "a", {**data, "join": [{**data["join"][0], "allow": "40%"}]})[0].verdict == "ok"
    with pytest.raises(
        DataError, match=r"data\.join\.0: join w\.csv: \d+ of 72 rows without a match\n.*data\.join\.0\.allow"
    ):
        ingest(tmp_path / "b", {**data, "join": [{**data["join"][0], "severity": "fail"}]})


def test_the_datasets_fingerprint_goes_by_the_second_tables_content_and_not_by_its_place(tmp_path: Path) -> None:
    found = []
    for name, temp in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        found.append(ingest(tmp_path / name / "run", write(tmp_path / name, temp=temp))[1].fingerprint)
    assert found[0] == found[1] != found[2]
    data = write(tmp_path)
    within = ingest(tmp_path / "w", {**data, "join": [{**data["join"][0], "within": "1h"}]})[1].fingerprint
    alone = ingest(tmp_path / "alone", {"source": data["source"]})[1].fingerprint
    assert len({found[0], within, alone}) == 3


def test_a_manifest_without_joins_is_what_it_was(tmp_path: Path) -> None:
    ingest(tmp_path / "run", {"source": write(tmp_path)["source"]})
    assert "joined" not in json.loads((tmp_path / "run" / "examples" / "manifest.json").read_text())


def test_the_second_table_moves_no_row_to_another_split(tmp_path: Path) -> None:
    data = write(tmp_path)
    found = []
    for name, given in (("alone", {"source": data["source"]}), ("joined", data)):
        ingest(tmp_path / name, given)
        examples = tmp_path / name / "examples"
        found.append(
            [
                [row["t"] + row["station"] for batch in read_batches(examples, split) for row in batch.to_pylist()]
                for split in SPLITS
            ]
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("split", [{}, {"method": "time", "by": "t"}, {"by": ["t"]}, {"method": "stratified"}])
def test_rules_of_rows_and_exclude_may_name_joined_columns(split: dict[str, Any], tmp_path: Path) -> None:
    rules = {"drop": [{"column": "temp", "missing": True}], "dedupe": ["temp"]}
    data = {**write(tmp_path), "rows": rules, "exclude": ["temp"], "split": split}
    task = {"task": "multiclass_classification"} if split.get("method") == "stratified" else {}
    _, manifest, rows = ingest(tmp_path / "run", data, gates={"model": {"slices": ["temp"]}}, **task)
    assert sorted(row["temp"] for row in rows) == [*range(1, 24)]
    assert manifest.dropped["temp missing"] == manifest.joined[0].unmatched > 0
    assert sum(manifest.rows.values()) + sum(manifest.dropped.values()) == ROWS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"by": "temp"}}, r"data\.split\.by: column 'temp' is brought by data\.join; rows are split by columns of the table"),
        ({"columns": {"temp": {"type": "number"}}}, r"data\.columns: column 'temp' is brought by data\.join; cells are read as data\.join"),
        ({"exclude": ["tmp"]}, r"data\.exclude: there is no column 'tmp'; did you mean 'temp'"),
    ],
)  # fmt: skip
def test_a_name_is_looked_for_where_it_may_be(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        ingest(tmp_path / "run", {**write(tmp_path), **changes})


def test_a_time_split_names_the_time_of_a_row(tmp_path: Path) -> None:
    data = write(tmp_path)
    join = {name: value for name, value in data["join"][0].items() if name != "row_time"}
    rows = ingest(tmp_path / "run", {**data, "join": [join], "split": {"method": "time", "by": "t"}})[2]
    assert {row["temp"] for row in rows} == {None, *range(1, 24)}


def test_rows_of_the_second_table_go_to_the_quarantine_and_are_counted_apart(tmp_path: Path) -> None:
    data = {**write(tmp_path), "quarantine_limit": 0.1}
    with (tmp_path / "w.csv").open("a") as file:
        file.write("a,2024-01-01T02:30\n,2024-01-01T02:40,1\n")
    outcome, manifest, _ = ingest(tmp_path / "run", data)
    (line,) = (tmp_path / "run" / "quarantine" / "rows.jsonl").read_text().splitlines()
    assert json.loads(line)["file"] == "w.csv" and json.loads(line)["line"] == 48
    assert outcome.metrics["quarantined"] == 0 and manifest.joined[0].files[0].quarantined == 1
    assert "join w.csv: 1 of its rows set aside; the first: w.csv, line 48" in outcome.reason
    assert "join w.csv: 1 of its 47 rows have no key or no time" in outcome.reason


def test_a_second_table_that_changed_is_joined_again_and_another_is_taken_as_it_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    data = write(tmp_path)
    text = (tmp_path / "t.csv").read_text().splitlines(keepends=True)
    for span in (1, 2):
        (tmp_path / f"s-{span}.csv").write_text("".join([text[0], *text[span::2]]))
    data["source"] = str(tmp_path / "s-{span}.csv")
    first = ingest(tmp_path / "1", data)
    again = ingest(tmp_path / "2", data)
    assert "spans: 2 reused, 0 read" in again[0].reason
    assert (again[1], again[2]) == (first[1], first[2]) and again[0].checks == first[0].checks
    write(tmp_path, temp=5)
    changed = ingest(tmp_path / "3", data)
    assert (
        "spans: 0 reused, 2 read (1-2: the settings of data, the split or Naru changed (or a table of data.join))"
        in changed[0].reason
    )
    assert {row["temp"] for row in changed[2]} == {None, *range(6, 29)}


def test_a_pinned_dataset_names_the_second_table_that_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from components.ingest import pinned_dataset

    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    data = write(tmp_path)
    pinned = ingest(tmp_path / "1", data)[1]
    monkeypatch.setattr(pinned_dataset, "_find_pinned", lambda project: pinned)
    assert ingest(tmp_path / "2", {**data, "pin": pinned.fingerprint[:16]})[1] == pinned
    write(tmp_path, temp=1)
    with pytest.raises(DataError, match=r"changed 'w\.csv'"):
        ingest(tmp_path / "3", {**data, "pin": pinned.fingerprint[:16]})


def test_a_table_is_checked_with_what_is_joined_to_it(tmp_path: Path) -> None:
    data = {**write(tmp_path), "checks": {"columns": {"temp": {"max": 20}}}}
    outcome = check_source(project(data))
    assert outcome.verdict == "blocked" and outcome.checks[0].reason.startswith("temp is above 20 in ")
    assert {check.name: check.status for check in outcome.checks}["join w.csv"] == "warn"
    with pytest.raises(DataError, match="rows without a match"):
        check_source(project({**data, "join": [{**data["join"][0], "severity": "fail"}]}))
