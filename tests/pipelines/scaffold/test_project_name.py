from pathlib import Path

import pytest

from components._core.project.project_file import parse_project
from pipelines.scaffold.project_name import name_note, project_name


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Mein Projekt", "mein-projekt"),
        ("2024", "project-2024"),
        ("my_project", "my-project"),
        ("a" * 50, "a" * 40),
    ],
)
def test_a_project_is_named_after_its_folder(folder: str, name: str) -> None:
    assert project_name(Path(folder)) == name
    assert name_note(Path(folder), name) == ""


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("고객 이탈", "gogaek-ital"),
        ("서울", "seoul"),
        ("한국\u1100\u1161", "hangukga"),  # the last syllable as two letters
        ("Kündigungen", "kundigungen"),
        ("客户流失", "project"),
        ("Δ 2", "project-2"),
    ],
)
def test_other_letters_are_written_in_latin_ones_and_that_is_reported(folder: str, name: str) -> None:
    assert project_name(Path(folder)) == name
    note = name_note(Path(folder), name)
    assert f"name is {name}" in note and folder in note and "project.yaml" in note
    assert parse_project({"name": name, "task": "regression", "label": "y", "data": {"source": "t.csv"}}).name == name
