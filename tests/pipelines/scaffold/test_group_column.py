"""`naru new` finds the column by which rows belong together, and keeps them in one split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components._core.project.project_file import load_project
from components._core.types.identifier_columns import is_named_group
from pipelines.scaffold import new_project


def write_visits(path: Path, name: str, patients: int = 60, visits: int = 10, agreeing: bool = True) -> Path:
    random = np.random.default_rng(3)
    lines = [f"pressure,visit,{name},sick"]
    for patient in range(patients):
        pressure, sick = random.normal(), patient % 2
        for visit in range(visits):
            if not agreeing:
                pressure, sick = random.normal(), random.integers(0, 2)
            lines.append(f"{pressure:.3f},{visit},{1000 + patient * 3},{sick}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", ["patient_no", "PatientID", "customer", "session key", "case_id", "a, b: [id]"])
def test_rows_of_one_group_are_kept_together(name: str, tmp_path: Path) -> None:
    table = write_visits(tmp_path / "t.csv", f'"{name}"')
    created = new_project(tmp_path / "p", data=table, label="sick")
    project = load_project(tmp_path / "p")
    assert project.data.split.by == [name] and name in project.data.exclude
    roles = {decision.column.name: decision.role for decision in created.decisions}
    assert roles == {"pressure": "number", "visit": "number", name: "left out", "sick": "label"}
    assert any("kept in one split" in note for note in created.notes)


@pytest.mark.parametrize(
    ("name", "patients", "visits", "agreeing"),
    [
        ("patient_no", 60, 10, False),  # they repeat, but nothing else repeats with them
        ("patient_no", 600, 1, True),  # every row is a group
        ("patient_no", 5, 120, True),  # too few to split by
        ("height", 60, 10, True),  # not named so
    ],
)
def test_other_rows_are_not(name: str, patients: int, visits: int, agreeing: bool, tmp_path: Path) -> None:
    table = write_visits(tmp_path / "t.csv", name, patients, visits, agreeing)
    new_project(tmp_path / "p", data=table, label="sick")
    assert load_project(tmp_path / "p").data.split.by == []


@pytest.mark.parametrize("name", ["patient", "user_id", "customer number", "subjectId", "Household"])
def test_names_of_groups(name: str) -> None:
    assert is_named_group(name)


@pytest.mark.parametrize("name", ["age", "carrier", "user age", "customer_since", "month", "", "holiday"])
def test_names_of_other_columns(name: str) -> None:
    assert not is_named_group(name)
