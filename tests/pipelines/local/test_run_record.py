"""What the last lines of a run repeat: warnings of the stages, and columns that are left out since they may leak the label."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.checks import Check, Outcome
from components._core.project.project_file import load_project, parse_project
from components._core.types.artifact_files import OUTCOME
from components._core.types.column_choices import ColumnChoices, DroppedColumn
from pipelines.local import run_record
from pipelines.local.run_record import _suspects, _warnings
from pipelines.scaffold.create_project import new_project


def _lines(reasons: dict[str, str]) -> list[str]:
    data = {"source": "t.csv", "exclude": [*reasons], "exclusion_reasons": reasons}
    raw = {"name": "p", "task": "binary_classification", "label": "y", "data": data}
    return _suspects(parse_project(raw))


def test_columns_that_are_left_out_for_another_reason_are_not_repeated() -> None:
    assert _lines({"id": "looks like an identifier: 9 values", "c": "always 'x'", "d": "as --drop says"}) == []


def test_of_many_suspects_the_first_are_named_and_the_others_counted() -> None:
    found = _lines({f"c{number}": "gives the label away: it alone\npredicts 100.0% of it" for number in range(5)})
    assert (
        found[0]
        == "look at 'c0', which is left out (data.exclude): gives the label away: it alone predicts 100.0% of it"
    )
    assert len(found) == 4 and "2 more columns" in found[3]
    assert len(_lines({"x" * 500: "gives the label away: all"})[0]) < 150


def test_every_kind_of_leak_that_new_finds_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_record, "_MOST_SUSPECTS", 10)
    lines = ["noise,copy,filled,made,sick_days,id,sick"]
    for row in range(300):
        sick = row % 4 == 0
        filled, made = row % 17 if sick else "", (row * 7) % 90 + 500 * sick
        lines.append(f"{row * 31 % 101},{'ill' if sick else 'well'},{filled},{made},{row * 13 % 7},{row},{int(sick)}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    new_project(tmp_path / "p", data=tmp_path / "t.csv", label="sick")
    found = _suspects(load_project(tmp_path / "p"))
    assert [line.split("'")[1] for line in found] == ["copy", "filled", "made", "sick_days"]


@pytest.mark.parametrize(
    ("artifact", "name"),
    [("history", "unused features"), ("evaluation", "threshold"), ("evaluation", "classes"), ("explanation", "leaks")],
)
def test_a_warning_that_a_person_must_not_miss_is_repeated(tmp_path: Path, artifact: str, name: str) -> None:
    checks = (Check(name, "warn", reason="look here"), Check("other", "warn", reason="not here"), Check(name, "pass"))
    Outcome("warn", checks=checks).save(tmp_path / OUTCOME)
    assert _warnings([], {artifact: str(tmp_path)}) == ["look here"]


def test_columns_that_a_rule_dropped_are_repeated_and_of_many_the_first(tmp_path: Path) -> None:
    dropped = tuple(DroppedColumn(f"c{number}", "transform.drop.missing", "97 % missing") for number in range(12))
    ColumnChoices(dropped).save(tmp_path)
    (line,) = _warnings([], {"transform_graph": str(tmp_path)})
    assert line.startswith("the model does not take, by transform.drop: c0 (97 % missing), c1 (97 % missing), ")
    assert line.endswith("c7 (97 % missing) and 4 more")
    ColumnChoices(components=3).save(tmp_path)
    assert _warnings([], {"transform_graph": str(tmp_path)}) == []
