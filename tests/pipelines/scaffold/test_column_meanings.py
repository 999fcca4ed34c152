"""What `naru new` makes of columns as people have them: the small forms of the tables that once went wrong."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError
from components._core.project.project_file import load_project
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from pipelines.scaffold import Created, new_project
from pipelines.scaffold.choices import Choices
from pipelines.scaffold.sentinels import find_sentinels
from tests.pipelines.scaffold.conftest import Table

ROWS = 200
RANDOM = np.random.default_rng(5)
NUMBERS = np.round(np.exp(RANDOM.normal(7, 1, ROWS)), 2)
LABELS = RANDOM.choice(["no", "yes"], ROWS).tolist()


def _created(
    tmp_path: Path, table: Table, label: Any = None, choices: Choices | None = None, **columns: Any
) -> Created:
    path = table({**columns, "y": LABELS if label is None else label})
    return new_project(tmp_path / "p", data=path, label="y", choices=choices)


def _kinds(created: Created) -> dict[str, str]:
    return {decision.column.name: decision.kind for decision in created.decisions if decision.column.name != "y"}


def _examples(created: Created) -> pa.Table:
    """The rows as ingest reads them by the project file."""
    data = load_project(created.folder, {"data.source": created.table.source}).data
    table = open_format(data)
    files = open_source(data.source).list_files("all")
    schema = table.infer_schema(files, "y")
    return pa.Table.from_batches([rows.examples for rows in table.read_rows(files[0], schema, "y", lambda row: None)])


def _spoilt(marker: str) -> list[str]:
    return [marker if row % 40 == 3 else str(value) for row, value in enumerate(NUMBERS)]


@pytest.mark.parametrize("marker", [" ", "?", "-", "NA", "N/A", "null", "unknown"])
def test_a_few_cells_that_are_not_numbers_are_missing_and_named(marker: str, tmp_path: Path, table: Table) -> None:
    created = _created(tmp_path, table, x=_spoilt(marker))
    assert _kinds(created) == {"x": "number"}
    what = "not a number, so missing" if marker == "unknown" else "taken as missing"
    is_arrows = marker in ("NA", "N/A", "null")  # Arrow's own spellings of a missing number are not counted by value
    assert created.findings == ([] if is_arrows else [("x", f"{what}: {marker!r} (5)")])
    assert _examples(created)["x"].null_count == 5


def test_a_repeated_header_and_a_total_row_do_not_make_numbers_text(tmp_path: Path) -> None:
    rows = [f"{value},{label}" for value, label in zip(NUMBERS, LABELS, strict=True)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x,y", *rows[:100], "x,y", *rows[100:], "Total,"]) + "\n")
    created = new_project(tmp_path / "p", data=path, label="y")
    assert _kinds(created) == {"x": "number"}
    assert "line 102: the header is repeated" in created.written
    assert "line 203: a line of totals: its first cell is 'Total'" in created.written and created.findings == []


@pytest.mark.parametrize(
    ("cells", "remark", "first"),
    [
        ([f"{value:,.2f}" for value in NUMBERS], "", float(NUMBERS[0])),
        ([f"${value:,.2f}" for value in NUMBERS], "in $", float(NUMBERS[0])),
        ([f"{value % 100:.1f}%" for value in NUMBERS], "in %", round(float(NUMBERS[0]) % 100, 1)),
        ([f"{int(value):,}000원" for value in NUMBERS], "in 원", int(NUMBERS[0]) * 1000),
        ([f"{value:.2f}".replace(".", ",") for value in NUMBERS], "decimal comma", float(NUMBERS[0])),
    ],
)
def test_numbers_as_people_write_them_are_numbers_with_their_unit(
    cells: list[str], remark: str, first: float, tmp_path: Path, table: Table
) -> None:
    cells = [cell.replace("000원", ",000원") if "," in cell else cell for cell in cells]
    created = _created(tmp_path, table, x=cells)
    assert _kinds(created) == {"x": "number"}
    assert created.decisions[0].reason.startswith(remark)
    assert _examples(created)["x"][0].as_py() == pytest.approx(first)


def test_codes_stay_categories_by_their_text_and_long_ids_lose_nothing(tmp_path: Path, table: Table) -> None:
    zips = [f"{number % 60:05d}" for number in range(ROWS)]
    accounts = [f"{number * 7919:010d}" for number in range(ROWS)]
    huge = [f"1000000000{number * 7919:011d}" for number in range(ROWS)]
    branches: list[int | None] = [100_000_000 + number % 8 for number in range(ROWS)]
    branches[7] = None
    created = _created(tmp_path, table, plz=zips, acct=accounts, huge=huge, branch=branches)
    assert _kinds(created) == {"plz": "category", "acct": "identifier", "huge": "identifier", "branch": "category"}
    examples = _examples(created)
    assert examples["plz"].to_pylist() == zips and examples["huge"].to_pylist() == huge
    assert len(examples["branch"].drop_null().unique()) == 8


@pytest.mark.parametrize(
    ("written", "shown", "iso"),
    [
        ("{m}/{d}/2024 3:15 PM", "MM/DD/YYYY", "2024-{m:02d}-{d:02d} 15:15:00"),
        ("{m}/{d}/2024 3:15 p.m.", "MM/DD/YYYY", "2024-{m:02d}-{d:02d} 15:15:00"),
        (
            "2024-{m:02d}-{d:02d}T03:15:00+02:00",
            "YYYY-MM-DD, offsets applied: in UTC",
            "2024-{m:02d}-{d:02d} 01:15:00Z",
        ),
        ("2024.{m:02d}.{d:02d}", "YYYY.MM.DD", "2024-{m:02d}-{d:02d}"),
        ("{d:02d}.{m:02d}.24", "DD.MM.YY", "2024-{m:02d}-{d:02d}"),
        ("2024년 {m}월 {d}일", "YYYY년 MM월 DD일", "2024-{m:02d}-{d:02d}"),
        ("2024{m:02d}{d:02d}", "YYYYMMDD", "2024-{m:02d}-{d:02d}"),
        ("2024-{m:02d}", "YYYY-MM", "2024-{m:02d}-01"),
    ],
)
def test_dates_of_the_usual_kinds_are_dates(written: str, shown: str, iso: str, tmp_path: Path, table: Table) -> None:
    days = [{"m": row % 12 + 1, "d": row % 28 + 1} for row in range(ROWS)]
    created = _created(tmp_path, table, x=[written.format(**day) for day in days])
    assert _kinds(created) == {"x": "date"}
    assert created.decisions[0].reason.startswith(f"{shown}: year, month, day, weekday")
    assert _examples(created)["x"].to_pylist() == [iso.format(**day) for day in days]


def test_seconds_since_1970_and_times_of_day_are_read(tmp_path: Path, table: Table) -> None:
    epoch = [1_612_915_200 + 3_600 * 31 * row for row in range(ROWS)]
    created = _created(tmp_path, table, epoch=epoch, at=[f"{row % 24:02d}:30" for row in range(ROWS)])
    assert _kinds(created) == {"epoch": "date", "at": "number"}
    examples = _examples(created)
    assert (examples["epoch"][0].as_py(), examples["at"][0].as_py()) == ("2021-02-10 00:00:00", 0.5)


def test_an_ambiguous_order_is_reported_and_can_be_said(tmp_path: Path, table: Table) -> None:
    cells = [f"{row % 12 + 1:02d}/{row % 11 + 1:02d}/2003" for row in range(ROWS)]
    created = _created(tmp_path, table, x=cells)
    message = "read as MM/DD/YYYY; it could as well be DD/MM/YYYY: --date-order dmy says so"
    assert ("x", message) in created.findings
    said = new_project(tmp_path / "q", data=created.table, label="y", choices=Choices.parse(date_order="dmy"))
    assert not said.findings and load_project(said.folder).data.columns["x"].order == "dmy"
    assert _examples(said)["x"][1].as_py() == "2003-02-02" and _examples(said)["x"][11].as_py() == "2003-01-12"


def test_an_order_that_the_cells_contradict_does_not_count(tmp_path: Path, table: Table) -> None:
    cells = [f"{row % 12 + 1:02d}/{row % 28 + 1:02d}/2003" for row in range(ROWS)]
    created = _created(tmp_path, table, x=cells, choices=Choices.parse(date_order="dmy"))
    assert load_project(created.folder).data.columns["x"].order == "mdy"


def test_na_is_no_label_and_dirty_labels_are_named(tmp_path: Path, table: Table) -> None:
    labels = ["NA" if row % 20 == 4 else ("Yes", "yes", "no ", "no")[row % 4] for row in range(ROWS)]
    created = _created(tmp_path, table, label=labels, x=NUMBERS)
    assert created.rows == ROWS - 10 and "NA" not in created.target.classes
    assert load_project(created.folder).data.columns["y"].missing == ["NA"]
    assert ("y", "taken as missing: 'NA' (10)") in created.findings
    assert ("y", "'no' and 'no ' differ only by case or blanks, and are different values") in created.findings


def test_a_column_filled_for_one_class_is_a_suspect(tmp_path: Path, table: Table) -> None:
    refund = [value if label == "yes" else None for value, label in zip(NUMBERS, LABELS, strict=True)]
    day = ["2020-01-31" if label == "yes" and row % 2 else None for row, label in enumerate(LABELS)]
    created = _created(tmp_path, table, x=NUMBERS[::-1], refund=refund, day=day)
    assert [decision.column.name for decision in created.suspects] == ["refund", "day"]
    assert all(decision.reason.startswith("filled only where y is yes") for decision in created.suspects)


def test_a_label_made_from_a_column_by_a_threshold_is_a_suspect(tmp_path: Path, table: Table) -> None:
    tips = np.where(RANDOM.random(ROWS) < 0.6, 0.0, RANDOM.random(ROWS) * 10)
    fare = RANDOM.random(ROWS) * 3 + 20
    path = table({"fare": fare, "tips": tips, "big_tipper": (tips > 0.2 * fare).astype(int)})
    created = new_project(tmp_path / "p", data=path, label="big_tipper")
    (suspect,) = created.suspects
    assert suspect.column.name == "tips" and "the label may be made from it" in suspect.reason


def test_measurements_of_a_group_are_kept(tmp_path: Path, table: Table) -> None:
    patients = np.repeat(np.arange(1000, 1040), 5)
    measure = np.repeat(RANDOM.normal(size=40).round(3), 5)
    sick = np.repeat(RANDOM.choice(["no", "yes"], 40), 5)
    created = _created(tmp_path, table, label=sick.tolist(), p=measure, patient_no=patients)
    assert load_project(created.folder).data.split.by == ["patient_no"]
    assert _kinds(created)["p"] == "number" and not created.suspects


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([5.0, 7, 9, -999, -999], [("-999", True)]),
        ([5.0, 7, 9, -999, -999, -99, -99], [("-999", True), ("-99", True)]),
        ([5.0, 7, 9, -999], []),
        ([-5.0, 7, 9, -999, -999, -999], [("-999", False)]),
        ([5.0, 7, 9, 9999, 9999, 9999], [("9999", False)]),
        ([5.0, 7, 9, -1, -1, -1], [("-1", False)]),
        ([-1.0, 0, 1, -1, -1], []),
        ([-3.0, -2, -1, 0, 1, 2], []),
    ],
)
def test_a_sentinel_is_missing_only_where_it_is_clear(numbers: list[float], found: list[tuple[str, bool]]) -> None:
    assert [(one.value, one.is_clear) for one in find_sentinels(np.array(numbers))] == found


def test_a_clear_sentinel_is_written_to_the_project_file(tmp_path: Path, table: Table) -> None:
    created = _created(tmp_path, table, temp=[-999 if row % 20 == 1 else row % 37 for row in range(ROWS)])
    assert load_project(created.folder).data.columns["temp"].missing == ["-999"]
    assert _examples(created)["temp"].null_count == 10


def test_texts_of_a_parquet_file_are_read_by_the_same_rule(tmp_path: Path) -> None:
    rows = {"won": [f"{number},000원" for number in range(1, ROWS + 1)], "on": ["10.02.21", "24.02.21"] * (ROWS // 2)}
    pq.write_table(pa.table({**rows, "y": LABELS}), tmp_path / "t.parquet")
    created = new_project(tmp_path / "p", data=tmp_path / "t.parquet", label="y")
    assert {name: reading.type for name, reading in load_project(created.folder).data.columns.items()} == {
        "won": "number",
        "on": "date",
    }
    examples = _examples(created)
    assert (examples["won"][1].as_py(), examples["on"][1].as_py()) == (2000.0, "2021-02-24")


def test_a_second_call_can_say_otherwise(tmp_path: Path, table: Table) -> None:
    columns = {
        "x": NUMBERS,
        "z": NUMBERS[::-1],
        "day": [f"2024-01-{row % 28 + 1:02d}" for row in range(ROWS)],
        "no": range(ROWS),
    }
    choices = Choices.parse(drop=["x"], ids=["no"], time="day", positive="no", sample=100)
    created = _created(tmp_path, table, choices=choices, **columns)
    project = load_project(created.folder)
    assert (project.data.exclude, project.data.split.by_time, project.positive) == (["x", "no"], "day", "no")
    assert _kinds(created)["no"] == "identifier"
    grouped = new_project(
        tmp_path / "g", data=created.table, label="x", choices=Choices.parse(task="regression", group="no")
    )
    assert load_project(grouped.folder).data.split.by == ["no"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "klassification"}, "--task: unknown task 'klassification'"),
        ({"date_order": "xyz"}, "--date-order: unknown order 'xyz'"),
        ({"group": "a", "time": "b"}, "--group and --time contradict each other"),
        ({"drop": ["xx"]}, "--drop: there is no column 'xx'"),
        ({"ids": ["y"]}, "--id: 'y' is the label"),
        ({"positive": "maybe"}, "--positive 'maybe' is not a class of 'y'"),
        ({"task": "regression"}, "--task regression: the label 'y' is text"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(
    options: dict[str, Any], message: str, tmp_path: Path, table: Table
) -> None:
    with pytest.raises(ConfigError, match=message):
        _created(tmp_path, table, choices=Choices.parse(**options), x=NUMBERS)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("cells", "kind", "message"),
    [
        (["2020-01-02", "0000-00-00"], "date", "not a date, so missing: '0000-00-00' (5)"),
        (["10.02.21", "?"], "date", "taken as missing: '?' (5)"),
        (["15:30", "soon"], "number", "not a time of day, so missing: 'soon' (5)"),
    ],
)
def test_odd_dates_and_times_are_named(cells: list[str], kind: str, message: str, tmp_path: Path, table: Table) -> None:
    good = [cells[0].replace("2020", str(1900 + row)).replace("10.", f"{row % 28 + 1:02d}.") for row in range(ROWS)]
    good = [text.replace("15:30", f"{row % 24:02d}:{row % 60:02d}") for row, text in enumerate(good)]
    created = _created(tmp_path, table, x=[cells[1] if row % 40 == 3 else text for row, text in enumerate(good)])
    assert _kinds(created) == {"x": kind}
    assert created.findings == [("x", message)]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_odd_cells_of_a_typed_format_are_named(kind: str, tmp_path: Path) -> None:
    cells = ["unknown" if row == 7 else str(number) for row, number in enumerate(NUMBERS)]
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"x": cells, "y": LABELS}), path)
    else:
        path.write_text("\n".join(json.dumps({"x": x, "y": y}) for x, y in zip(cells, LABELS, strict=True)))
    created = new_project(tmp_path / "p", data=path, label="y")
    assert created.findings == [("x", "not a number, so missing: 'unknown' (1)")]


def test_times_in_different_named_zones_are_reported(tmp_path: Path, table: Table) -> None:
    times = [f"2024-03-{row % 28 + 1:02d} {row % 24:02d}:30:00" for row in range(ROWS)]
    zones = [f"{time} {('EST', 'KST')[row % 2]}" for row, time in enumerate(times)]
    places = [f"{time}[{('Asia/Seoul', 'America/New_York')[row % 2]}]" for row, time in enumerate(times)]
    created = _created(tmp_path, table, zone=zones, place=places, one=[f"{time} EST" for time in times])
    rest = "which are not applied: the hours are as written; write offsets such as +09:00"
    assert created.findings == [
        ("zone", f"names different time zones ('EST', 'KST'), {rest}"),
        ("place", f"names different time zones ('[America/New_York]', '[Asia/Seoul]'), {rest}"),
    ]


def test_numbers_in_different_units_are_reported_and_house_numbers_are_not(tmp_path: Path, table: Table) -> None:
    money = [f"{('$', '€')[row % 2]}{row % 90}.50" for row in range(ROWS)]
    houses = [f"{row % 90 + 1}{('', 'a', 'b')[row % 3]}" for row in range(ROWS)]
    created = _created(tmp_path, table, money=money, house=houses)
    message = "numbers in different units ('$', '€'), so each is a text of its own: convert them to one unit"
    assert created.findings == [("money", message)]


def test_dates_of_two_orders_are_named_with_counts_lines_and_remedy(tmp_path: Path, table: Table) -> None:
    forms = ["%d/%m/%Y", "%m/%d/%Y"]
    days = [date(2023, 1, 1) + timedelta(days=row) for row in range(ROWS)]
    half = [day.strftime(forms[row % 2]) for row, day in enumerate(days)]
    one = [day.strftime(forms[row == 27]) for row, day in enumerate(days)]
    created = _created(tmp_path, table, half=half, one=one, number=NUMBERS.tolist())
    findings = dict(created.findings)
    assert findings["half"].startswith("dates in two orders, kept as text: ")
    assert "may be swapped; write one order in the source, best YYYY-MM-DD" in findings["one"]
    assert all("line " in findings[name] and " either way" in findings[name] for name in ("half", "one"))


def test_a_label_that_cannot_be_predicted_for_its_unreadable_rows_says_so(tmp_path: Path, table: Table) -> None:
    numbers = ["1.5"] * 3 + ["1e39"] * (ROWS - 3)
    with pytest.raises(DataError, match=r"the label 'y' is 'no' in every row.*; 197 more rows cannot be read, such as"):
        _created(tmp_path, table, ["no"] * 3 + ["yes"] * (ROWS - 3), x=numbers)
