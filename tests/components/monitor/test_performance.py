"""The served metric on labels that come late: what it is, when it may alarm, and that a trigger starts one run for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from components._core.project.monitor_config import Monitor
from components._core.project.project_file import Project, parse_project
from components._core.store.ledger import Deployment, append_deployment, read_deployments
from components._core.types.artifact_files import MONITORING_REFERENCE
from components._core.types.metrics.bootstrap import RESAMPLES, day_interval, student_quantile
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._core.types.tasks.metric import ACCURACY, AUC, LOG_LOSS
from components._feedback.feedback_report import FeedbackReport
from components._feedback.make_span import make_span
from components._feedback.settings import FeedbackSettings
from components._feedback.span_store import feedback_home
from components.monitor.monitor import NO_FEEDBACK, MonitorResult, monitor_requests
from components.monitor.served_metric import LabelledRows, Maturity, Performance, Yardstick, measure_performance
from components.monitor.time_windows import HOUR, TimeWindow
from components.watch.observe import Observer
from components.watch.records import History
from tests.components.monitor.request_lines import FEATURES, START, make_reference, rows_of, write_object
from tests.components.watch.made import Log

BINARY = TASKS["binary_classification"]
DAY = timedelta(days=1)
DAYS, HOURS, ROWS = 21, (0, 6, 12, 18), 40
NOW = START + timedelta(days=DAYS, minutes=15)
"""The last closed hour is the one that ends 21 days after the start."""
SIGNATURE_OF_SMALL = Signature("binary_classification", tuple(FEATURES), {"probability": "float32"}, ("0", "1"))


# the arithmetic


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1, 12.706205), (4, 2.776445), (6, 2.446912), (30, 2.042272), (1_000, 1.962339)]
)
def test_the_quantile_of_students_t_is_that_of_the_tables(degrees: int, expected: float) -> None:
    assert student_quantile(degrees) == pytest.approx(expected, abs=2e-6)


def _days_of_rows(days: int, seed: int, rows: int = 60, spread: float = 1.0) -> tuple[np.ndarray, ...]:
    """Labels, scores and days; the weather of a day decides how good its scores are."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), rows)
    labels = (random.random(len(day)) < 0.4).astype(np.int64)
    strength = random.normal(1.5, spread, days)[day]
    logit = random.normal(size=len(day)) + strength * (labels - 0.5)
    return labels, 1 / (1 + np.exp(-logit)), day


def test_the_interval_over_days_is_that_of_drawing_whole_days_by_hand() -> None:
    labels, scores, days = _days_of_rows(8, 3)
    places = [np.flatnonzero(days == day) for day in range(8)]
    random = np.random.default_rng(11)
    drawn = [np.concatenate([places[day] for day in random.integers(0, 8, 8)]) for _ in range(RESAMPLES)]
    values = [roc_auc_score(labels[rows], scores[rows]) for rows in drawn]
    centre, wider = roc_auc_score(labels, scores), 2.364624 / 1.959964 * (8 / 7) ** 0.5  # t with 7 degrees of freedom
    expected = [centre + (bound - centre) * wider for bound in np.quantile(values, [0.025, 0.975])]
    found = day_interval(BINARY, AUC, labels, scores, days * 7 + 20_000, seed=1)
    assert found == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))


def test_the_interval_covers_the_mean_of_all_days_about_as_often_as_it_says() -> None:
    accuracies = [np.mean((s >= 0.5) == y) for y, s, _ in (_days_of_rows(2_000, 9_999),)]
    hits = 0
    for seed in range(150):
        labels, scores, days = _days_of_rows(7, seed)
        low, high = day_interval(BINARY, ACCURACY, labels, scores, days, seed=1)
        hits += low <= accuracies[0] <= high
    assert (
        hits / 150 >= 0.9
    )  # the binomial spread of 95 % is 0.018; the plain percentiles of seven days cover about 0.86


# which windows are final, and what alarms


def _rows(days: int, good: Callable[[int], bool], per_day: int = 60) -> LabelledRows:
    """Rows from `START`; on days that are not good the labels have nothing to do with the scores."""
    random = np.random.default_rng(5)
    times, labels, scores = [], [], []
    for day in range(days):
        score = random.random(per_day)
        chance = score if good(day) else np.full(per_day, 0.5)
        begin = int((START + day * DAY).timestamp() * 1_000_000)
        times.append(begin + np.arange(per_day) * 1_000_000)
        scores.append(score)
        labels.append((random.random(per_day) < chance).astype(np.int64))
    return LabelledRows(np.concatenate(times), np.concatenate(labels), np.concatenate(scores), np.empty(0, np.int64))


def _performance(rows: LabelledRows, answered_per_day: int, days: int, **changes: Any) -> Performance:
    window = TimeWindow(START + (days - changes.pop("length", 7)) * DAY, START + days * DAY)
    answered = {START + day * DAY: answered_per_day for day in range(days)}
    given = {"metric": AUC, "offline": 0.83, "read_at": START + days * DAY, "settings": Monitor(), **changes}
    yardstick = Yardstick(BINARY, ("0", "1"), given["metric"], given["offline"])
    maturity = Maturity(0.8, timedelta(days=14), given["read_at"])
    return measure_performance(rows, answered, window, DAY, yardstick, maturity, given["settings"])


def test_the_metric_of_a_window_is_that_of_its_rows() -> None:
    rows = _rows(7, lambda _: True)
    found = _performance(rows, 60, 7)
    assert found.check is not None and found.check.check.measured == roc_auc_score(rows.labels, rows.scores)
    assert (found.check.check.status, found.check.check.n, found.windows[-1].coverage) == ("pass", 420, 1.0)
    assert found.windows[-1].calibration == pytest.approx(BINARY.measure(rows.labels, rows.scores)["ece"])


def test_a_metric_that_is_worse_by_more_than_the_tolerance_fails_with_its_first_window() -> None:
    found = _performance(_rows(30, lambda day: day < 15), 60, 30)
    assert found.check is not None and found.check.check.status == "fail"
    assert found.check.check.threshold == pytest.approx(0.81) and "worse by more" in found.check.check.reason
    alarms = [served for served in found.windows if served.alarms]
    assert found.check.since == alarms[0].window.since.isoformat() and len(alarms) >= 7
    assert found.check.window == {
        "since": (START + 23 * DAY).isoformat(),
        "until": (START + 30 * DAY).isoformat(),
    }


def test_a_drop_within_the_tolerance_passes() -> None:
    rows = _rows(7, lambda _: False)
    assert _performance(rows, 60, 7, settings=Monitor(max_drop=0.5)).check.check.status == "pass"  # type: ignore[union-attr]


def test_a_metric_that_is_better_when_lower_alarms_when_it_is_higher() -> None:
    rows = _rows(7, lambda _: False)
    found = _performance(rows, 60, 7, metric=LOG_LOSS, offline=0.5).check
    assert found is not None and found.check.status == "fail" and found.check.threshold == pytest.approx(0.52)
    better = _performance(_rows(7, lambda _: True), 60, 7, metric=LOG_LOSS, offline=0.9).check
    assert better is not None and better.check.status == "pass"


def test_a_partial_window_is_shown_and_cannot_alarm() -> None:
    found = _performance(_rows(7, lambda _: False), 200, 7)  # 30 % have a label
    assert found.check is not None and found.check.check.status == "skipped"
    assert found.check.window is None and "no window is final" in found.check.check.reason
    assert [(served.is_final, served.check.n) for served in found.windows] == [(False, 420)]
    assert found.windows[0].check.measured == pytest.approx(0.5, abs=0.1)


def test_a_window_older_than_the_wait_is_final_once_its_labels_were_joined() -> None:
    rows = _rows(30, lambda day: day >= 16)
    found = _performance(rows, 200, 30)
    final = [served for served in found.windows if served.is_final]
    assert final[-1].window.until == START + 16 * DAY and found.check is not None
    assert found.check.check.status == "fail"
    stale = _performance(rows, 200, 30, read_at=START + 10 * DAY)  # no labels were joined since
    assert not any(served.is_final for served in stale.windows) and stale.check is not None
    assert stale.check.check.status == "skipped"


def test_labels_of_fewer_than_five_days_are_at_most_a_warning() -> None:
    found = _performance(_rows(4, lambda _: False, 200), 200, 4, length=4).check
    assert found is not None and found.check.status == "warn" and "labels of 4 days" in found.check.reason


def test_answers_that_never_get_a_label_are_not_awaited() -> None:
    rows = _rows(7, lambda _: True)
    closed = np.repeat(rows.times[:1], 30)
    assert not _performance(rows, 80, 7).windows[-1].is_final  # 420 of 560
    assert _performance(replace(rows, closed=closed), 80, 7).windows[-1].coverage == pytest.approx(420 / 530)


def test_without_an_offline_metric_or_with_few_rows_nothing_is_judged() -> None:
    rows = _rows(7, lambda _: False)
    assert _performance(rows, 60, 7, offline=None).check.check.status == "no_baseline"  # type: ignore[union-attr]
    few = _performance(_rows(7, lambda _: False, 5), 5, 7).check
    assert few is not None and few.check.status == "skipped" and "min_rows" in few.check.reason
    one = replace(rows, labels=np.ones_like(rows.labels))
    assert "all of one class" in _performance(one, 60, 7).check.check.reason  # type: ignore[union-attr]


# from the log and the labels to a run


class Service:
    """A champion that answered requests for three weeks, labels of its answers, and a project with a trigger."""

    def __init__(self, root: Path) -> None:
        self.root, self.store = root, root / "store"
        model = self.store / "small" / "models" / "1" / "artifacts" / "model"
        model.mkdir(parents=True)
        make_reference().save(model.parent / MONITORING_REFERENCE)
        SIGNATURE_OF_SMALL.save(model)
        line = Deployment("1", str(model), "", "", {"auc": 0.73}, "", "run", START.isoformat(), "me", "first")
        append_deployment(str(self.store), "small", line)
        (root / "labels").mkdir()
        for day in range(DAYS):
            for hour in HOURS:
                at = START + day * DAY + hour * HOUR
                write_object(self.store / "small" / "requests", at, rows_of(at, ROWS))

    def write_labels(self, share: float, good: Callable[[int], bool]) -> None:
        """Label a share of the answers; on days that are not good the label has nothing to do with the score."""
        random = np.random.default_rng(8)
        lines = ["id,late"]
        for day in range(DAYS):
            for hour in HOURS:
                at = START + day * DAY + hour * HOUR
                for place, score in enumerate(rows_of(at, ROWS)["probability"]):
                    draw, kept = random.random(2)
                    if kept < share:
                        lines.append(f"{at:%m%d%H}-pod-1-{place},{int(draw < (score if good(day) else 0.5))}")
        (self.root / "labels" / "a.csv").write_text("\n".join(lines) + "\n")

    def project(self, *, feedback: bool = True, **sections: Any) -> Project:
        raw: dict[str, Any] = {"name": "small", "task": "binary_classification", "label": "late", **sections}
        raw |= {"data": {"source": "x.csv"}, "serve": {"request_log": {}}}
        if feedback:
            raw["feedback"] = {"labels": {"source": str(self.root / "labels")}, "min_rows": 1, "wait": "14d"}
        limits = {"cooldown": "0s", "per_day": 10}
        on = [{"name": "worse", "performance": {"metric": "auc", "windows": "2 of 3"}}]
        return parse_project({**raw, "triggers": {"limits": limits, "on": on}})

    def join(self) -> FeedbackReport:
        config = self.project().feedback
        assert config is not None
        home = feedback_home(str(self.store), "small")
        log = str(self.store / "small" / "requests")
        return make_span(FeedbackSettings("small", log, home, config, "late", pa.int64(), SIGNATURE_OF_SMALL), NOW)

    def monitor(self, now: datetime = NOW, *, feedback: bool = True, **sections: Any) -> MonitorResult:
        folder = self.root / "monitoring"
        folder.mkdir(exist_ok=True)
        project = self.project(feedback=feedback, **sections)
        return monitor_requests(project, monitoring=folder, page=folder / "page.html", now=now)

    def decide(self, log: Log, now: datetime) -> list[Any]:
        state = Observer(str(self.store), "small").observe(self.project(), History([]), lambda _: self.project().data)
        return log.tick(state, now)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("NARU_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Service(tmp_path)


def checks_of(result: MonitorResult) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(Path(result.uri).read_text())["checks"]}


def test_a_worse_served_metric_starts_one_run_with_its_cause(service: Service) -> None:
    service.write_labels(0.95, lambda day: day < 7)
    assert service.join().span == 1
    service.monitor(NOW - 7 * DAY)
    log = Log()
    first = service.decide(log, NOW - 7 * DAY)
    assert [(record.state, record.reason) for record in first] == [("held", "windows")]
    result = service.monitor()
    check = checks_of(result)["performance: auc"]
    assert (check["status"], check["kind"], check["baseline"]) == ("fail", "performance", 0.73)
    assert check["n"] == pytest.approx(0.95 * 7 * len(HOURS) * ROWS, rel=0.03)
    assert result.outcome.verdict == "blocked" and "worse by more than monitor.max_drop" in result.outcome.reason
    shown = (service.root / "monitoring" / "page.html").read_text()
    assert "Served metric on labelled answers" in shown and "Calibration on labels of" in shown
    claimed = service.decide(log, NOW)[-1]
    assert claimed.state == "claimed" and claimed.causes[0].kind == "performance"
    evidence = claimed.causes[0].evidence
    assert (evidence["check"], evidence["report"]) == ("performance: auc", result.uri)
    assert evidence["first"].startswith(f"{START + 7 * DAY:%Y-%m-%d}") and evidence["measured"] == check["measured"]
    assert service.decide(log, NOW + HOUR) == [], "the same cause starts no second run"


def test_the_estimate_stands_beside_the_realised_metric_and_judges_nothing(service: Service) -> None:
    service.write_labels(
        0.95, lambda day: day < 7
    )  # later the labels have nothing to do with the scores, which did not move
    service.join()
    result = service.monitor()
    raw = json.loads(Path(result.uri).read_text())
    newest = raw["performance"][-1]
    assert newest["measured"] < 0.6 and newest["estimated"] == pytest.approx(0.73, abs=0.02)
    assert raw["estimated"] == {
        "metric": "auc",
        "measured": newest["estimated"],
        "baseline": 0.73,
        "rows": 7 * 4 * ROWS,
    }
    assert not [check for check in raw["checks"] if "estimate" in check["name"] + check["kind"]]
    curve = newest["reliability"]
    assert sum(rows for _, _, rows in curve) == newest["labelled"]
    assert [share for _, share, rows in curve if rows > 50] == pytest.approx([0.5] * 8, abs=0.2)


@pytest.mark.slow
def test_values_never_seen_can_be_learned_once_enough_labelled_rows_have_them(service: Service) -> None:
    for day, hour in product(range(14, DAYS), HOURS):
        at = START + day * DAY + hour * HOUR
        rows = rows_of(at, ROWS)
        rows["carrier"][::5] = ["ZZ"] * (ROWS // 5)
        write_object(service.store / "small" / "requests", at, rows)
    service.write_labels(0.0, lambda _: True)
    unlabelled = checks_of(service.monitor())["unseen: carrier"]
    assert (unlabelled["status"], unlabelled["labelled"], unlabelled["learnable"]) == ("fail", 0, False)
    service.write_labels(1.0, lambda _: True)
    service.join()
    labelled = checks_of(service.monitor())["unseen: carrier"]
    assert (labelled["labelled"], labelled["learnable"]) == (7 * len(HOURS) * ROWS // 5, True)
    gates = {"data": {"anomalies": {"unexpected_value": "fail"}}}
    refused = checks_of(service.monitor(gates=gates))
    assert refused["unseen: carrier"]["learnable"] is False
    assert {check["learnable"] for name, check in refused.items() if name != "unseen: carrier"} == {None}


def test_the_offline_metric_moves_with_a_promotion(service: Service) -> None:
    service.write_labels(0.95, lambda day: day < 7)
    assert service.join().span == 1
    before = checks_of(service.monitor())["performance: auc"]
    (first,) = read_deployments(str(service.store), "small")
    append_deployment(str(service.store), "small", replace(first, metrics={"auc": 0.52}, run="again"))
    after = checks_of(service.monitor())["performance: auc"]
    assert (before["baseline"], before["status"]) == (0.73, "fail")
    assert (after["baseline"], after["status"], after["measured"]) == (0.52, "pass", before["measured"])


@pytest.mark.slow
def test_windows_that_are_only_partial_start_nothing(service: Service) -> None:
    service.write_labels(0.4, lambda day: day < 7)  # the bad days are not older than feedback.wait
    assert service.join().span == 1
    log = Log()
    for now in (NOW - 7 * DAY, NOW):
        found = service.monitor(now)
        assert checks_of(found)["performance: auc"]["status"] in ("pass", "skipped")
        assert service.decide(log, now) == []
    windows = json.loads(Path(found.uri).read_text())["performance"]
    newest = windows[-1]
    assert newest["state"] == "partial" and newest["status"] == "skipped" and newest["measured"] < 0.6
    assert {window["state"] for window in windows[:-1]} <= {"final", "partial"}
    assert any("partial, cannot alarm" in sentence for sentence in found.performance)


@pytest.mark.slow
def test_one_final_window_that_is_read_again_and_again_is_one_alarm(service: Service) -> None:
    service.write_labels(0.95, lambda day: day < 14)
    service.join()
    log = Log()
    for minutes in (0, 1, 2):
        service.monitor(NOW + timedelta(minutes=minutes))
        assert not any(record.state == "claimed" for record in service.decide(log, NOW))


def test_without_a_section_feedback_there_is_no_check_and_a_sentence(service: Service) -> None:
    result = service.monitor(feedback=False)
    assert "performance: auc" not in checks_of(result)
    first, estimated = result.performance
    assert first == NO_FEEDBACK and estimated.startswith("estimated from the scores of 1,120 answers")
    assert "no section feedback" in (service.root / "monitoring/page.html").read_text()
