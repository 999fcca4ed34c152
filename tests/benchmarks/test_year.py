"""A short cut of the year: two months of flights, in which a sensor breaks for two weeks and a delay gets another meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.naru_run import environment
from benchmarks.year.flights import FIRST_SERVED, Changes, read_days
from benchmarks.year.timeline import failing
from benchmarks.year.year import Year, run_year, write_year
from components._core.report.svg import is_plain
from components._core.store.ledger import read_deployments

pytestmark = pytest.mark.slow

CHANGES = Changes(broken=(date(2013, 4, 15), date(2013, 4, 29)), drifted=date(2013, 5, 6))
END = date(2013, 6, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("year")


@pytest.fixture(scope="module")
def year(folder: Path) -> Iterator[Year]:
    world = environment()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "NARU_NOTIFY_URLS"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", world["PYTHONPATH"])
        yield run_year(folder, FIRST_SERVED, END, CHANGES, print)


def _records(year: Year, *states: str) -> list[tuple[date, str, str]]:
    """First day of the week, state and cause of what was recorded."""
    return [
        (week.begin, record.state, record.why)
        for week in year.weeks
        for record in week.records
        if record.state in states
    ]


def test_a_broken_sensor_is_a_notice_and_starts_no_run(year: Year) -> None:
    weeks = {week.begin: failing(week, ("invariant",)) for week in year.weeks}
    broken = [begin for begin, names in weeks.items() if "missing: dep_delay" in names]
    assert broken == [date(2013, 4, 15), date(2013, 4, 22)]
    notices = [(begin, why) for begin, _, why in _records(year, "notice") if "missing: dep_delay" in why]
    assert [begin for begin, _ in notices] == [date(2013, 4, 15)], "one notice for each episode"
    assert not [begin for begin, *_ in _records(year, "claimed") if begin < CHANGES.drifted]


def test_the_drift_starts_one_run_with_its_cause_and_what_it_promotes_answers_from_then_on(
    year: Year, folder: Path
) -> None:
    (claimed,) = [record for week in year.weeks for record in week.records if record.state == "claimed"]
    moved = next(cause for cause in claimed.causes if cause.name == "moved")
    assert moved.evidence["alarm"] == "dep_delay"
    assert "2013-04-29" <= moved.evidence["first"][:10] <= "2013-05-06", "the week before may differ from winter, too"
    assert claimed.parameters == {"spans": "last 13"}
    (ended,) = [record for week in year.weeks for record in week.records if record.state == "ended"]
    assert ended.verdict == "succeeded" and ended.promoted in ("", "2")
    promoted = (
        [ended.promoted] if ended.promoted else []
    )  # the gates decide: it must beat the champion on the same rows
    ledger = read_deployments(str(folder / "flights" / ".naru" / "store"), "flights")
    assert [line.version for line in ledger] == ["1", *promoted]
    for line in ledger[1:]:
        assert f": trigger {claimed.number}: " in line.why and line.why.endswith("on spans last 13")
    looked = next(number for number, week in enumerate(year.weeks) if claimed in week.records)
    after = len(year.weeks) - looked - 1
    assert [week.version for week in year.weeks] == ["1"] * (looked + 1) + [ledger[-1].version] * after


def test_rows_and_metric_are_those_of_log_and_labels(year: Year, folder: Path) -> None:
    """Computed again from the files of the request log and from the flights themselves."""
    scores, versions = {}, {}
    for file in (folder / "flights" / ".naru" / "store" / "flights" / "requests").rglob("*.jsonl"):
        for line in map(json.loads, file.read_text().splitlines()):
            for row, score in enumerate(line["outputs"]["probability"]):
                scores[line["id"], row], versions[line["id"][:10]] = score, line["version"]
    answered = sum(week.rows.num_rows for week in year.weeks)
    assert len(scores) == answered == sum(day.rows.num_rows for day in read_days(FIRST_SERVED, END, CHANGES))
    labels = {}
    for file in (folder / "flights" / "labels").glob("*.parquet"):
        for each in pq.read_table(file).to_pylist():
            labels[each["request_id"], each["row"]] = each["late"]
    own = year.policies[0]
    april = sorted(key for key in labels if key[0].startswith("2013-04"))
    expected = roc_auc_score([labels[key] for key in april], [scores[key] for key in april])
    assert own.by_month[4] == pytest.approx(expected, abs=1e-4)
    assert [versions[str(week.begin)] for week in year.weeks] == [week.version for week in year.weeks]


def test_the_policies_are_compared_on_the_same_months_and_retraining_is_better_than_never(year: Year) -> None:
    own, never, monthly = year.policies
    assert set(own.by_month) == set(never.by_month) == set(monthly.by_month) == {4, 5, 6}
    assert (own.runs, never.runs, monthly.runs) == (2, 1, 3)
    assert own.by_month[4] == pytest.approx(never.by_month[4], abs=0.01), "the same rows and hardly another model"


def test_the_page_has_the_picture_and_what_was_decided(year: Year, folder: Path) -> None:
    text = write_year(year, folder).read_text()
    (picture,) = [each for each in re.findall(r"<svg.*?</svg>", text, re.S) if "traffic" in each]
    assert is_plain(picture) and "a sensor breaks" in picture
    assert "missing: dep_delay" in text and "by triggers" in text and "every month" in text
