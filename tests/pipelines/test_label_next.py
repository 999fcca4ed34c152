"""`naru label next`: by the champion's doubts, by what drifted, at random; from a table and from the request log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from components._core.files import write_json
from components._core.monitoring.feature_bins import TextBins
from components._core.monitoring.reference import Column, MonitoringReference
from components._core.request_log.answered_lines import LineWriter
from components._core.request_log.layout import hour_folder
from components._core.types.artifact_files import MONITORING_REFERENCE
from components._labels.exchange.label_studio import CONTROL
from components._labels.label_store import SHARE, STRATUM, LabelStore
from pipelines.__main__ import app
from tests.components.tiny_models import CARRIERS

Naru = Callable[..., Result]
LABELS = "labels:\n  classes: [0, 1]\n  source: new.parquet\n"


@pytest.fixture
def naru(project: Path, monkeypatch: pytest.MonkeyPatch) -> Naru:
    monkeypatch.chdir(project)
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text + LABELS)
    write_pool(project / "new.parquet")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["label", *arguments])

    return run


def write_pool(path: Path, rows: int = 200) -> None:
    generator = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "number": np.arange(rows),
        "delay": generator.normal(0, 30, rows).astype(np.float32),
        "month": generator.integers(1, 13, rows),
        "carrier": [CARRIERS[place] for place in generator.integers(0, 3, rows)],
        "noise": generator.random(rows).astype(np.float32),
    }
    pq.write_table(pa.table(columns), path)


def listed(project: Path) -> pa.Table:
    """The rows of the newest work list."""
    store = LabelStore(str(project / ".naru/store"), "tiny")
    return store.read_list(store.lists[-1])


def alarm(project: Path, cell: str, kind: str = "skew") -> None:
    """A result of the monitor in which a carrier is more frequent, and the reference that it was compared with."""
    store = project / ".naru/store/tiny"
    counts = np.full((2, 7), 10)
    columns = {"carrier": Column(TextBins(CARRIERS), counts)}
    MonitoringReference("rows", (), columns).save(store / "models/1/artifacts" / MONITORING_REFERENCE)
    check = {"name": f"{kind}: carrier", "kind": kind, "status": "fail", "feature": "carrier", "cell": {"name": cell}}
    write_json(store / "monitoring/runs/20260101-1/monitoring.json", {"version": "4", "checks": [check]})
    (store / "monitoring/runs/20260102-1").mkdir()  # a run that has not ended


def test_the_champions_doubts_what_drifted_and_a_random_part_make_a_list(naru: Naru, champion: Path) -> None:
    alarm(champion, "'CC'")

    result = naru("next", ".", "--rows", "40", "--output", "work.json")

    rows = listed(champion)
    parts = rows[STRATUM].to_pylist()
    assert result.output.splitlines()[:2] == [
        "200 rows without a label in the table",
        "uncertainty by the margin of version 4",
    ]
    assert "drifted: carrier 'CC'" in result.output
    assert {part: parts.count(part) for part in set(parts)} == {"uncertain": 20, "drifted": 12, "random": 8}
    drifted = [row for row in rows.to_pylist() if row[STRATUM] == "drifted"]
    assert {row["carrier"] for row in drifted} == {"CC"}
    assert {row[SHARE] for row in rows.to_pylist() if row[STRATUM] == "uncertain"} == {1.0}
    assert len(json.loads((champion / "work.json").read_text())) == 40


def test_rows_of_earlier_lists_are_not_selected_again(naru: Naru, champion: Path) -> None:
    naru("next", ".", "--rows", "40", "--output", "one.json")
    first = set(listed(champion)["number"].to_pylist())
    result = naru("next", ".", "--rows", "500", "--output", "two.json", "--by", "entropy")
    second = set(listed(champion)["number"].to_pylist())

    assert "40 items are in earlier lists" in result.output
    assert first | second == set(range(200)) and not first & second


def test_without_a_champion_all_rows_are_drawn_at_random(naru: Naru, project: Path) -> None:
    result = naru("next", ".", "--rows", "50", "--output", "work.csv")

    assert "no row is known to be uncertain" in result.output
    assert set(listed(project)[SHARE].to_pylist()) == {0.25}


def test_a_row_that_the_model_does_not_take_can_still_be_drawn(naru: Naru, champion: Path) -> None:
    table = pq.read_table(champion / "new.parquet")
    month = pa.array([None, *table["month"].to_pylist()[1:]], pa.int64())
    pq.write_table(table.set_column(table.column_names.index("month"), "month", month), champion / "new.parquet")

    result = naru("next", ".", "--rows", "200", "--output", "work.csv")

    assert "1 rows are not taken by the model" in result.output
    assert listed(champion).num_rows == 200


@pytest.mark.parametrize("kind", ["prediction", "missing"])
def test_an_alarm_that_names_no_value_of_a_feature_selects_nothing(naru: Naru, champion: Path, kind: str) -> None:
    alarm(champion, "'CC'" if kind == "prediction" else "no such cell", kind)

    naru("next", ".", "--rows", "40", "--output", "work.json")

    assert "drifted" not in listed(champion)[STRATUM].to_pylist()


def test_the_estimate_for_all_rows_comes_from_the_weights(naru: Naru, champion: Path) -> None:
    naru("next", ".", "--rows", "60", "--output", "work.json")
    tasks = json.loads((champion / "work.json").read_text())
    for task in tasks:
        label = "1" if float(task["data"]["delay"]) > 10 else "0"
        result = [{"from_name": CONTROL, "value": {"choices": [label]}}]
        task["annotations"] = [{"completed_by": 1, "created_at": "2026-11-30T10:00:00Z", "result": result}]
    (champion / "done.json").write_text(json.dumps(tasks))
    naru("import", "done.json", ".")

    shown, raw = naru("agree", ".").output, json.loads(naru("agree", ".", "--json").output)

    rows = listed(champion).to_pylist()
    weighted = sum(1 / row[SHARE] for row in rows if row["delay"] > 10) / 200
    assert raw["estimates"][1]["what"] == "1"
    assert raw["estimates"][1]["mean"]["value"] == pytest.approx(weighted)
    assert "in all 200 rows (table), by 60 of 60 selected rows" in shown


def write_log(project: Path, requests: int = 50) -> None:
    """Write requests of yesterday, with two rows each; the first is there twice, as after a retry."""
    at = datetime.now(UTC) - timedelta(days=1)
    folder = project / ".naru/store/tiny/requests" / hour_folder(at.timestamp())
    folder.mkdir(parents=True)
    writer = LineWriter("tiny", "4", share=0.5, masked=frozenset({"noise"}))
    lines = []
    for number in [0, *range(requests)]:
        inputs = {"delay": [float(number), -1.0], "month": [1, 2], "carrier": ["AA", "CC"], "noise": [0.1, 0.2]}
        outputs = {"probability": np.array([number / requests, 0.99], np.float32)}
        lines.append(writer.write(f"r{number}", at.timestamp(), 0.01, inputs, outputs))
    (folder / "server-1-a.jsonl").write_bytes(b"".join(lines))


def test_answers_of_the_request_log_are_selected_by_what_was_answered(naru: Naru, champion: Path) -> None:
    write_log(champion)
    alarm(champion, "'CC'")

    result = naru("next", ".", "--log", "7d", "--rows", "20", "--output", "work.json")

    rows = listed(champion).to_pylist()
    uncertain = [row for row in rows if row[STRATUM] == "uncertain"]
    assert "100 answered rows in the closed hours of the request log (7d)" in result.output
    assert len(uncertain) == 10
    assert all(abs(int(row["naru_request"].removeprefix("r")) - 25) <= 5 for row in uncertain)  # p = number / 50
    assert {row["naru_row"] for row in rows if row[STRATUM] == "drifted"} == {1}
    assert {row[SHARE] for row in uncertain} == {0.5}  # selected for sure, and logged with this probability
    assert {row["noise"] for row in rows} == {None}
    assert "naru_score" not in rows[0]


def test_labels_of_logged_answers_come_back_for_the_feedback(naru: Naru, champion: Path) -> None:
    write_log(champion)
    naru("next", ".", "--log", "7d", "--rows", "5", "--output", "work.csv")
    lines = (champion / "work.csv").read_text(encoding="utf-8-sig").splitlines()
    (champion / "work.csv").write_text("\n".join([lines[0], *(f"{line[:-3]},1,ann," for line in lines[1:])]) + "\n")

    result = naru("import", "work.csv", ".")

    assert result.output.splitlines()[-1] == "span 1: labels of 5 logged answers"
    (file,) = (champion / ".naru/store/tiny/labels/v1/answers").iterdir()
    assert pq.read_table(file).column_names == ["request_id", "row", "y", "known_at"]
    assert pq.read_table(file)["y"].to_pylist() == [1] * 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--by", "doubt"), "--by: found 'doubt'"),
        (("--rows", "0"), "--rows: found 0"),
        (("--log", "7d", "--source", "x.csv"), "give --log or --source, not both"),
        (("--log", "soon"), "found 'soon'"),
        (("--source", "none.csv"), "there is no such file"),
    ],
)
def test_what_does_not_fit_is_named(naru: Naru, project: Path, arguments: tuple[str, ...], message: str) -> None:
    result = naru("next", ".", "--output", "work.json", *arguments)

    assert message in str(result.exception)


def test_an_empty_log_gives_no_list(naru: Naru, project: Path) -> None:
    result = naru("next", ".", "--log", "7d", "--output", "work.json")

    assert "nothing to label: no list was written" in result.output
