"""What a person sees."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipelines.scaffold import new_project
from pipelines.scaffold.summary import print_created
from tests.pipelines.scaffold.conftest import Table


def _printed(folder: Path, data: Path, label: str) -> str:
    console = Console(width=140)
    with console.capture() as captured:
        print_created(console, new_project(folder, data=data, label=label))
    return captured.get()


def test_every_column_is_shown_with_what_becomes_of_it_and_the_next_command(penguins: Path, tmp_path: Path) -> None:
    text = _printed(tmp_path / "p", penguins, "sex")
    assert text.startswith("sex: binary classification (two values), 333 rows")
    assert "positive is 'female', the rarer one; in 49.5% of the rows" in text
    assert "bill_length_mm" in text
    assert "11 rows (3.2%) have no label" in text
    assert text.rstrip().endswith(f"naru run {tmp_path / 'p'}")


def test_of_a_wide_table_the_label_the_suspects_and_some_others_are_shown(table: Table, tmp_path: Path) -> None:
    wide = {f"x{number}": [value * (number + 3) % 11 for value in range(60)] for number in range(300)}
    text = _printed(tmp_path / "p", table({**wide, "row_id": range(60), "y": ["a", "b"] * 30}), "y")
    assert "look at row_id: looks like an identifier" in text
    assert "more" in text
    assert len(text.splitlines()) < 60


def test_brackets_in_a_name_are_no_markup(table: Table, tmp_path: Path) -> None:
    data = table({"[red]x[/red]": [value * 5 % 11 for value in range(60)], "y": ["a", "b"] * 30})
    assert "[red]x[/red]" in _printed(tmp_path / "p", data, "y")
