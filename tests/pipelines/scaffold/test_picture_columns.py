"""A new project of pictures: what it sees, and what it does not."""

from __future__ import annotations

import ast
import io
import tarfile
from pathlib import Path

import pytest

from components._core.errors import ConfigError, DataError
from components._core.project.project_file import load_project
from pipelines.scaffold.choices import Choices
from pipelines.scaffold.create_project import Created, new_project
from pipelines.scaffold.table_location import TableLocation
from tests.components.core.pictures.pictures import encode, scene


def write_zoo(root: Path, side: int = 48) -> Path:
    for number in range(60):
        folder = root / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encode(scene(number, side, side)))
    return root


def create(tmp_path: Path, source: str, model: str = "keras") -> Created:
    choices = Choices(model=model)  # type: ignore[arg-type]
    return new_project(tmp_path / "zooproj", data=TableLocation.parse(source), label="label", choices=choices)


def test_a_folder_of_pictures_gives_a_project_whose_model_sees_the_picture_alone(tmp_path: Path) -> None:
    made = create(tmp_path, f"pictures://{write_zoo(tmp_path / 'zoo')}")
    assert [(decision.column.name, decision.role) for decision in made.decisions] == [
        ("picture", "picture"),
        ("label", "label"),
    ]
    project = load_project(made.folder)
    assert project.data.pictures is not None
    assert project.data.split.by == ["picture.group"]
    assert (project.task, project.positive) == ("binary_classification", "cat")
    code = (made.folder / "preprocessing.py").read_text()
    assert 'PICTURE = "picture"' in code and "SIZE = 64" in code
    for name in ("preprocessing.py", "model.py"):
        ast.parse((made.folder / name).read_text())
    assert not (made.folder / "tests").exists() and "tests/" not in (made.folder / "README.md").read_text()


@pytest.mark.parametrize(("side", "seen", "convolutions"), [(20, 32, 3), (64, 64, 4), (200, 128, 5)])
def test_pictures_are_scaled_to_a_side_that_fits_most(side: int, seen: int, convolutions: int, tmp_path: Path) -> None:
    made = create(tmp_path, f"pictures://{write_zoo(tmp_path / 'zoo', side)}")
    assert f"SIZE = {seen} " in (made.folder / "preprocessing.py").read_text()
    filters = (made.folder / "model.py").read_text().partition("for filters in (")[2].partition(")")[0]
    assert len(filters.split(",")) == convolutions


def test_other_columns_of_an_archive_are_left_out_with_the_reason(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "zoo.tar", "w") as archive:
        for number in range(60):
            members = {"png": encode(scene(number)), "cls": (b"cat", b"dog")[number % 2], "json": b'{"place": "Seoul"}'}
            for ending, content in members.items():
                member = tarfile.TarInfo(f"{number:03}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    made = create(tmp_path, f"webdataset://{tmp_path / 'zoo.tar'}")
    assert (
        load_project(made.folder).data.exclusion_reasons["place"]
        == "the code that was written looks at the picture alone"
    )


def test_a_kind_of_model_without_code_for_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of pictures a project with a Keras model is written"):
        create(tmp_path, f"pictures://{write_zoo(tmp_path / 'zoo')}", "boosted")
    assert not (tmp_path / "zooproj").exists()


def test_a_table_that_names_files_of_pictures_says_how_a_model_sees_them(tmp_path: Path) -> None:
    lines = [f"cat/{number}.JPG,{number % 7},{('cat', 'dog')[number % 2]}" for number in range(60)]
    (tmp_path / "more.csv").write_text("\n".join(["file,visits,label", *lines]))
    made = create(tmp_path, str(tmp_path / "more.csv"))
    assert any('data.pictures: {column: "file"}' in note for note in made.notes)
    names = [f"imgs/{'ab'[number % 2]}/{number:03}.jpg,{'ab'[number % 2]}" for number in range(60)]
    (tmp_path / "names.csv").write_text("\n".join(["file,label", *names]))
    with pytest.raises(DataError) as caught:
        new_project(tmp_path / "other", data=TableLocation.parse(str(tmp_path / "names.csv")), label="label")
    assert 'data.pictures: {column: "file"}' in str(caught.value.remedy)
