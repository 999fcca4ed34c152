"""What is refused before a run begins, because the source's first rows already show it, and what is left to the stages."""

from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import parse_project
from pipelines.local.source_preview import check_source_preview


def _check(folder: Path, content: str | bytes, **changes: Any) -> None:
    file = folder / "t.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    raw = {"name": "p", "task": "binary_classification", "label": "y", "data": {"source": str(file)}, **changes}
    check_source_preview(parse_project(raw), str(file), "all")


ROWS = "x,y\n" + "1,good\n2,bad\n" * 50


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (ROWS, {"positive": "baad"}, "positive: 'baad' is not a value of the label 'y', which has 'bad', 'good'"),
        (ROWS.replace("good", "1").replace("bad", "0"), {"positive": 2}, "positive: 2 is not a value"),
        (ROWS.replace("good", "1.0").replace("bad", "0.0"), {"positive": "yes"}, "which has '0', '1'"),
        (ROWS, {"train": {"class_weight": {"bad": 2, "goood": 1}}}, "train.class_weight: 'goood' is not a value"),
        (ROWS, {"gates": {"model": {"slices": ["xx"]}}}, "gates.model.slices: there is no column 'xx'; did you mean 'x'"),
        (ROWS, {"data": {"source": "t.csv", "exclude": ["z"]}}, "data.exclude: there is no column 'z'"),
        (ROWS, {"data": {"source": "t.csv", "split": {"by": ["z"]}}}, r"data.split.by: there is no column 'z'"),
        (ROWS, {"transform": {"columns": {"z": {"impute": 0}}}}, "transform.columns: there is no column 'z'"),
        (ROWS, {"transform": {"pca": {"columns": ["xx"], "components": 1}}}, "transform.pca.columns: there is no column 'xx'; did you mean 'x'"),
        ("x,y\n" + "1,good\n2,bad\n" * 100_000, {"positive": "baad"}, "positive: 'baad'"),
        (ROWS.encode("utf-16"), {"positive": "baad"}, "positive: 'baad'"),
    ],
)  # fmt: skip
def test_what_no_row_could_change_is_refused_at_once(tmp_path: Path, content: str, changes: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _check(tmp_path, content, **changes)


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (ROWS, {"positive": "bad"}),
        (ROWS, {"train": {"class_weight": {"bad": 2}}}),
        (ROWS, {"train": {"class_weight": "balanced"}}),
        ("x,y\n" + "1,no\n" * 99 + "1,\n", {"train": {"class_weight": {"yes": 9}}}),
        (ROWS, {"task": "multiclass_classification", "train": {"class_weight": {"rare": 9}}}),
        (ROWS.replace("good", "1.0").replace("bad", "0.0"), {"positive": 1}),
        ("x,y\n" + "1,no\n" * 99 + "1,\n", {"positive": "yes"}),  # rare, or further on
        ("x,y\n" + "1,no\n" * 99 + "x,y\n", {"positive": "yes"}),  # a header in the middle
        (
            "x,y\n" + "1,no\n2,maybe\n" * 50,  # of three values, two are left
            {"positive": "yes", "data": {"source": "t.csv", "rows": {"drop": [{"column": "y", "in": ["maybe"]}]}}},
        ),
        ("x;y\n1;good\n2;bad\n", {"positive": "baad"}),
        ("", {"positive": "baad"}),
        ('x,y\n1,"good\n2,bad\n', {"positive": "baad"}),
    ],
)
def test_what_is_not_certain_is_left_to_the_stages(tmp_path: Path, content: str | bytes, changes: Any) -> None:
    _check(tmp_path, content, **changes)


@pytest.mark.parametrize(
    ("join", "changes", "message"),
    [
        ({"on": "z"}, {}, r"data\.join\.0\.on: there is no column 'z'"),
        ({"on": "x", "time": "at"}, {}, r"data\.join\.0: time needs the time of each row"),
        ({"on": "x", "columns": ["y"]}, {}, r"data\.join\.0: j\.csv brings a column 'y', which the table has already"),
        ({"on": "x"}, {"exclude": ["vv"]}, r"data\.exclude: there is no column 'vv'; did you mean 'v'"),
    ],
)
def test_a_join_that_cannot_be_is_refused_at_once(
    tmp_path: Path, join: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "j.csv").write_text("x,v,at,y\n1,2,3,4\n")
    source = str(tmp_path / "j.csv")
    right = {"source": source, "on": "x", "columns": ["v"]}
    _check(tmp_path, ROWS, data={"source": "t.csv", "join": [right], "exclude": ["v"]})
    joined = {"columns": ["v"], **join, "source": source}
    with pytest.raises(ConfigError, match=message):
        _check(tmp_path, ROWS, data={"source": "t.csv", "join": [joined], **changes})


def test_a_second_table_that_cannot_be_seen_is_left_to_ingest(tmp_path: Path) -> None:
    for source in (str(tmp_path / "nowhere.csv"), "https://nowhere.invalid/j.csv"):
        _check(tmp_path, ROWS, data={"source": "t.csv", "join": [{"source": source, "on": "x"}], "exclude": ["v"]})


def test_a_source_that_is_not_there_is_left_to_ingest(tmp_path: Path) -> None:
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}}
    for source in (str(tmp_path / "t.csv"), "https://nowhere.invalid/t.csv", str(tmp_path)):
        check_source_preview(parse_project(raw), source, "all")
