"""What a watcher sees: spans as a run reads them, rows of new ones, and the monitor's results as docs/monitoring.md has them."""

import json
from pathlib import Path
from typing import Any

import pytest

from components._core.monitoring.result_files import LARGEST_RESULT
from components._core.project.data_config import Data
from components._core.project.project_file import Project, parse_project
from components._core.types.artifact_files import MONITORING
from components._data.joins.source_state import fingerprint_state
from components.watch.causes import find_new_spans
from components.watch.decide import decide
from components.watch.monitor_results import MonitorResults
from components.watch.observe import Observer, read_spans
from components.watch.records import History
from tests.components.watch.made import START


def _write(folder: Path, *numbers: int, rows: int = 1) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"t-{number}.csv").write_text("x,y\n" + "1,2\n" * rows)


def _project(folder: Path, **trigger: Any) -> Project:
    on = [{"name": "data", "new_data": {"settle": "0s", **trigger}}, {"name": "moved", "distribution": {}}]
    data = {"source": f"{folder}/t-{{span}}.csv"}
    return parse_project({"name": "p", "task": "regression", "label": "y", "data": data, "triggers": {"on": on}})


def test_the_fingerprint_is_that_of_a_run_and_each_span_has_a_state(tmp_path: Path) -> None:
    _write(tmp_path, 1, 2)
    data = Data(source=f"{tmp_path}/t-{{span}}.csv")
    before = read_spans(data)
    assert before.fingerprint == fingerprint_state(data)
    assert [span.label for span in before.spans] == ["1", "2"]
    _write(tmp_path, 2, rows=2)
    after = read_spans(data)
    assert after.spans[0] == before.spans[0] and after.spans[1] != before.spans[1]


def test_only_the_spans_that_a_run_reads_count(tmp_path: Path) -> None:
    _write(tmp_path, 1, 2, 3)
    data = Data(source=f"{tmp_path}/t-{{span}}.csv", spans="last 2")
    assert [span.label for span in read_spans(data).spans] == ["2", "3"]


def test_a_table_without_spans_is_one_whose_content_changes(tmp_path: Path) -> None:
    _write(tmp_path, 1)
    data = Data(source=str(tmp_path / "t-1.csv"))
    before = read_spans(data)
    _write(tmp_path, 1, rows=2)
    assert [span.label for span in before.spans] == ["1"] and read_spans(data).spans != before.spans


def test_a_source_that_cannot_be_read_is_a_result(tmp_path: Path) -> None:
    assert read_spans(Data(source=str(tmp_path / "none.csv"))).error == "there is no such file"


def test_rows_are_counted_in_new_spans_alone(tmp_path: Path) -> None:
    _write(tmp_path / "d", 1, 2, rows=30)
    project = _project(tmp_path / "d", rows=50)
    observer = Observer(str(tmp_path / "store"), "p")
    state = observer.observe(project, History([]), lambda _: project.data)
    assert state.rows == {"data": 60} and len(find_new_spans(state, project.triggers.on[0])) == 2
    assert decide(state, START)[-1].causes[0].evidence["rows"] == 60
    seen = decide(state, START)
    again = observer.observe(project, History(seen), lambda _: project.data)
    assert again.rows == {"data": 0}


@pytest.mark.parametrize("content", ["", None])
def test_new_data_that_cannot_be_read_holds_its_own_trigger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    _write(tmp_path / "d", 1)
    project = _project(tmp_path / "d", rows=1)
    real = Observer._count_rows

    def count(*arguments: Any) -> int:
        if content is None:  # gone between the listing and the count
            (tmp_path / "d" / "t-1.csv").unlink()
            _write(tmp_path / "d", 2)
        else:
            (tmp_path / "d" / "t-1.csv").write_text(content)
        return real(*arguments)

    monkeypatch.setattr(Observer, "_count_rows", count)
    state = Observer(str(tmp_path / "store"), "p").observe(project, History([]), lambda _: project.data)
    assert state.sources["data"].error and state.rows == {}
    assert [(record.state, record.reason) for record in decide(state, START)] == [("held", "source")]


def _result(version: str, day: int, *checks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    window = {"since": f"2026-01-{day:02d}T00:00:00+00:00", "until": f"2026-01-{day + 1:02d}T00:00:00+00:00"}
    return {"format": 1, "version": version, "window": window, "checks": list(checks), **fields}


def _save(store: Path, run: str, content: Any) -> None:
    folder = store / "p" / "monitoring" / "runs" / run
    folder.mkdir(parents=True)
    (folder / MONITORING).write_text(content if isinstance(content, str) else json.dumps(content))


def test_results_of_the_monitor_are_read_with_those_of_other_versions(tmp_path: Path) -> None:
    check = {
        "name": "skew: x",
        "kind": "skew",
        "status": "fail",
        "feature": "x",
        "importance": 0.4,
        "measured": 0.2,
        "p": None,
    }
    _save(tmp_path, "20260102T000000Z-b", _result("8", 2, check, other_versions=[_result("7", 2)]))
    _save(
        tmp_path,
        "20260101T000000Z-a",
        _result("7", 1, {"name": "volume", "kind": "volume", "status": "pass", "feature": None}),
    )
    _save(tmp_path, "20260103T000000Z-c", {**_result("8", 3), "window": None, "verdict": "skipped"})
    results = MonitorResults(str(tmp_path), "p")
    windows = results.read()
    assert [(window.version, window.since.day) for window in windows] == [("7", 1), ("8", 2), ("7", 2)]
    assert windows[1].checks[0].importance == 0.4 and windows[0].checks[0].feature == ""
    assert windows[1].uri.endswith("20260102T000000Z-b/monitoring.json") and len(windows[1].sha256) == 64
    assert results.remarks == []
    assert MonitorResults(str(tmp_path), "none").read() == []


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        {"version": "7", "window": {"since": "x", "until": "y"}},
        _result("7", 1, {"name": "a"}),
        "[" * 100_000,
        _result("7", 1, {"name": "a", "kind": "skew", "status": "pass", "measured": 10**400}),
        " " * (LARGEST_RESULT + 1),
    ],
    ids=["cut", "list", "times", "check", "nested", "number", "large"],
)
def test_a_result_that_cannot_be_read_is_left_out_and_named(tmp_path: Path, content: Any) -> None:
    _save(tmp_path, "20260101T000000Z-a", content)
    _save(tmp_path, "20260102T000000Z-b", _result("7", 2))
    results = MonitorResults(str(tmp_path), "p")
    assert len(results.read()) == 1
    assert len(results.remarks) == 1 and "20260101T000000Z-a" in results.remarks[0]


def test_a_check_on_labels_that_came_later_is_a_window_of_its_own(tmp_path: Path) -> None:
    earlier = {"since": "2026-01-02T00:00:00+00:00", "until": "2026-01-03T00:00:00+00:00"}
    served = {"name": "performance: auc", "kind": "performance", "status": "fail", "feature": None, "window": earlier}
    skew = {"name": "skew: x", "kind": "skew", "status": "pass", "feature": "x", "window": None}
    _save(tmp_path, "20260120T000000Z-a", _result("7", 20, skew, served))
    run, labelled = MonitorResults(str(tmp_path), "p").read()
    assert [check.name for check in run.checks] == ["skew: x"] and not run.is_labelled and run.since.day == 20
    assert [check.name for check in labelled.checks] == ["performance: auc"] and labelled.is_labelled
    assert (labelled.since.day, labelled.until.day, labelled.uri) == (2, 3, run.uri)
