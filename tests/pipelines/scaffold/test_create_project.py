"""A project from a table: what is written, and what is refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from components._core.errors import ConfigError, DataError
from components._core.project.project_file import load_project
from pipelines.scaffold import new_project
from pipelines.scaffold.create_project import parse_csv
from tests.pipelines.scaffold.conftest import Table

LABELS = ["no", "yes"] * 50


def test_the_project_file_is_one_that_a_run_accepts(penguins: Path, tmp_path: Path) -> None:
    created = new_project(tmp_path / "Penguin Species", data=penguins, label="species")
    project = load_project(created.folder)
    assert (project.name, project.task, project.label) == ("penguin-species", "multiclass_classification", "species")
    assert {path.relative_to(created.folder).as_posix() for path in created.files} == {
        "project.yaml",
        "preprocessing.py",
        "model.py",
        "tests/test_project.py",
        "README.md",
        ".gitignore",
    }


def test_the_same_table_gives_the_same_files(weather: Path, tmp_path: Path) -> None:
    first, again = (new_project(tmp_path / place / "sun", data=weather, label="weather") for place in ("a", "b"))
    assert [path.read_text() for path in first.files] == [path.read_text() for path in again.files]


def test_suspects_are_excluded_with_the_reason_beside_them(table: Table, tmp_path: Path) -> None:
    path = table(
        {"order_id": range(100), "code": [0, 1] * 50, "size": [number % 7 for number in range(100)], "y": LABELS}
    )
    created = new_project(tmp_path / "p", data=path, label="y")
    assert [decision.column.name for decision in created.suspects] == ["order_id", "code"]
    data = load_project(created.folder).data
    assert data.exclude == ["order_id", "code"]
    assert data.exclusion_reasons == {
        "order_id": "looks like an identifier: it numbers the rows",
        "code": "gives the label away: it alone predicts 100.0% of it",
    }


def test_missing_labels_are_allowed_for_in_the_project_file(table: Table, tmp_path: Path) -> None:
    path = table({"x": [number * 7 % 13 for number in range(100)], "y": [*LABELS[:90], *[None] * 10]})
    created = new_project(tmp_path / "p", data=path, label="y")
    assert load_project(created.folder).data.quarantine_limit == 0.11
    assert "10 rows have no label" in (created.folder / "project.yaml").read_text()


def test_with_rare_positives_the_threshold_is_chosen_on_eval(table: Table, tmp_path: Path) -> None:
    labels = ["yes" if number % 25 == 3 else "no" for number in range(200)]
    created = new_project(tmp_path / "p", data=table({"x": [n * 7 % 13 for n in range(200)], "y": labels}), label="y")
    assert load_project(created.folder).serve.threshold == "f1"
    assert "4.0% of the rows are positive" in (created.folder / "project.yaml").read_text()
    plain = new_project(tmp_path / "q", data=table({"x": [n * 7 % 13 for n in range(100)], "y": LABELS}), label="y")
    assert load_project(plain.folder).serve.threshold is None


def test_odd_names_become_data_in_files_that_parse(table: Table, tmp_path: Path) -> None:
    names = [
        "a b",
        "1st",
        'q"uote',
        "it's",
        "back\\slash",
        "tab\there",
        "# no: [yaml]",
        '"""',
        "{{ x }}",
        "한국",
        "__import__('os')",
    ]
    columns = {
        name: [f"{number * 7 % (5 + place)}" + "x" * (place % 2) for number in range(100)]
        for place, name in enumerate(names)
    }
    created = new_project(tmp_path / "p", data=table({**columns, "what is it?": LABELS}), label="what is it?")
    for file in ("preprocessing.py", "model.py", "tests/test_project.py"):
        tree = ast.parse((created.folder / file).read_text())
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert "__import__" not in called
    assert load_project(created.folder).label == "what is it?"


def test_nothing_is_overwritten(table: Table, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine.txt").write_text("precious")
    with pytest.raises(ConfigError, match="nothing is overwritten"):
        new_project(tmp_path / "p", data=table({"x": range(100), "y": LABELS}), label="y")
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_answered_and_leaves_nothing(table: Table, tmp_path: Path) -> None:
    data = table({"x": [number % 7 for number in range(100)], "y": LABELS})
    with pytest.raises(ConfigError, match="cannot be written"):
        new_project(data / "p", data=data, label="y")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_an_empty_folder_may_be_there_already(table: Table, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    new_project(tmp_path / "p", data=table({"x": [number % 7 for number in range(100)], "y": LABELS}), label="y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p", "table.csv"]


def test_a_label_that_is_not_there_is_answered_with_close_names(table: Table, tmp_path: Path) -> None:
    path = table({"Churned": LABELS, "tenure": range(100)})
    with pytest.raises(ConfigError, match="there is no column 'churn'; did you mean 'Churned'"):
        new_project(tmp_path / "p", data=path, label="churn")
    with pytest.raises(ConfigError, match=r"'Churned, tenure' are 2 columns: a project predicts one label"):
        new_project(tmp_path / "p", data=path, label="Churned, tenure")
    with pytest.raises(ConfigError, match="there are 'Churned', 'tenure'"):
        new_project(tmp_path / "p", data=path, label="zzz")
    assert not (tmp_path / "p").exists()


def test_a_file_that_is_not_there_is_answered_with_a_close_name(table: Table, tmp_path: Path) -> None:
    table({"x": range(100), "y": LABELS}, "customers.csv")
    with pytest.raises(ConfigError, match=r"no such file; did you mean 'customers\.csv'"):
        new_project(tmp_path / "p", data=tmp_path / "customer.csv", label="y")


@pytest.mark.parametrize("named", [{}, {"sep": ";", "encoding": "euc-kr"}])
def test_how_the_table_is_written_is_in_the_project_file_and_an_index_is_left_out(
    named: dict[str, str], tmp_path: Path
) -> None:
    rows = [f"{n};{'서울 부산 대구'.split()[n * 7 % 3]};{n * 37 % 91};{n * 13 % 2}" for n in range(1, 61)]
    (tmp_path / "t.csv").write_bytes(("# exported\n;지역;나이;y\n" + "\n".join(rows)).encode("cp949"))
    created = new_project(tmp_path / "p", data=tmp_path / "t.csv", label="y", csv=parse_csv(**named))
    assert "separator: semicolon, encoding: cp949, 1 line before the header skipped" in created.written
    assert "column 1 has no name and is read as 'index'" in created.written
    csv = load_project(tmp_path / "p").data.csv
    assert (csv.separator, csv.encoding, csv.skip_lines) == (";", "cp949", 1)
    index = next(decision for decision in created.decisions if decision.column.name == "index")
    assert index.role == "left out" and "numbers the rows" in index.reason
    assert set(created.decisions[1].column.values) == {"서울", "부산", "대구"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"x,y\n", "no rows"),
        (b"x,y\n1,a\n", "nothing to learn"),
        (b"x,y\n1,a\n2,b\n", "2 rows with a label are too few"),
        (b"x,y\n1,\n2,\n", "no row has a label"),
        (
            b"x,y\n1,2,a\n2,3,b\n",
            "none of 2 rows can be read, such as table.csv, line 2: 3 fields where the header has 2",
        ),
        (b"x;y\n1;a\n1\n1;2;3\n", "separated by ';'"),
        (b"x,x,y\n1,2,a\n", "duplicate column"),
        (b"PAR1\x00\x00", "the Parquet footer is missing"),
        (b"PK\x03\x04\x00", "a spreadsheet or an archive"),
    ],
)
def test_a_table_that_nothing_can_be_learned_from_is_refused_with_the_reason(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises((ConfigError, DataError), match=message):
        new_project(tmp_path / "p", data=tmp_path / "table.csv", label="y")
    assert not (tmp_path / "p").exists()


def test_a_table_with_only_suspects_is_refused_with_their_names(table: Table, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column is left to predict from \\(id: looks like an identifier"):
        new_project(tmp_path / "p", data=table({"id": range(100), "y": LABELS}), label="y")


def test_a_table_whose_quotes_swallow_rows_is_refused_and_read_by_the_setting(tmp_path: Path) -> None:
    rows = [
        f'{n},"pipe {n % 5}{chr(92)}"",{"yes" if n % 3 else "no"}'
        if n % 60 == 7
        else f"{n},bolt,{'no' if n % 2 else 'yes'}"
        for n in range(600)
    ]
    data = tmp_path / "t.csv"
    data.write_text("\n".join(["age,note,bought", *rows]) + "\n")
    with pytest.raises(DataError, match=r"t\.csv, line 9: quote errors in \d+ of 600 rows(.|\n)*--escape"):
        new_project(tmp_path / "a", data=data, label="bought")
    created = new_project(tmp_path / "b", data=data, label="bought", csv=parse_csv('"', "\\"))
    assert created.rows == 600
    assert load_project(tmp_path / "b").data.csv.escape == "\\"
    with pytest.raises(ConfigError, match="--escape: found 'x'"):
        parse_csv('"', "x")


def test_a_parquet_table_makes_the_project_that_its_csv_makes(penguins: Path, tmp_path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet as pq

    read = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    pq.write_table(pyarrow.csv.read_csv(penguins, convert_options=read), tmp_path / "penguins.parquet")
    found = [
        new_project(tmp_path / place / "p", data=data, label="species")
        for place, data in (("a", penguins), ("b", tmp_path / "penguins.parquet"))
    ]
    assert [(item.column.name, item.role, item.reason) for item in found[1].decisions] == [
        (item.column.name, item.role, item.reason) for item in found[0].decisions
    ]
    project = load_project(found[1].folder)
    assert project.data.source.endswith("penguins.parquet") and not project.data.format
