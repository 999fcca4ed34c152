import zipfile
from pathlib import Path

import pytest

from components._core.errors import ConfigError, UserCodeError
from components._core.project.project_file import Project, parse_project
from components._core.stage.user_code import fingerprint_code, load_function, own_frames, pack_code, unpack_code

PROJECT = parse_project({"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "preprocessing.py").write_text(
        "from extra import ONE\n\ndef preprocessing_fn(inputs):\n    return ONE\n"
    )
    (tmp_path / "code" / "model.py").write_text(
        "def build_model(inputs, transform, hyperparameters):\n    return 1 / 0\n"
    )
    (tmp_path / "code" / "extra.py").write_text("ONE = 1\n")
    return tmp_path / "code"


def test_the_archive_is_the_same_byte_for_byte_when_the_files_are(folder: Path, tmp_path: Path) -> None:
    first = pack_code(folder, PROJECT, tmp_path / "a.zip")
    (folder / "model.py").touch()
    second = pack_code(folder, PROJECT, tmp_path / "b.zip")
    assert first == second
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_changed_function_has_another_fingerprint(folder: Path) -> None:
    before = fingerprint_code(folder, PROJECT)
    (folder / "extra.py").write_text("ONE = 2\n")
    assert fingerprint_code(folder, PROJECT) != before


def test_unpacked_code_runs_with_the_modules_beside_it(folder: Path, tmp_path: Path) -> None:
    pack_code(folder, PROJECT, tmp_path / "a.zip")
    unpack_code(tmp_path / "a.zip", tmp_path / "there")
    assert load_function(tmp_path / "there", "preprocessing.py", "preprocessing_fn")({}) == 1


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "a\\evil.py"])
def test_an_archive_that_points_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as pack:
        pack.writestr(zipfile.ZipInfo(name), "print('gone')")
    with pytest.raises(ConfigError, match="is outside its folder"):
        unpack_code(tmp_path / "bad.zip", tmp_path / "there")
    assert not list(tmp_path.rglob("evil.py"))


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as pack:
        pack.writestr(link, "/etc/passwd")
    with pytest.raises(ConfigError, match="is outside its folder"):
        unpack_code(tmp_path / "bad.zip", tmp_path / "there")


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_text("no zip")
    with pytest.raises(ConfigError, match="is not a code archive"):
        unpack_code(tmp_path / "bad.zip", tmp_path / "there")


def test_a_damaged_archive_is_refused(folder: Path, tmp_path: Path) -> None:
    pack_code(folder, PROJECT, tmp_path / "a.zip")
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:40] + bytes(20) + whole[60:])
    with pytest.raises(ConfigError, match="is not a code archive"):
        unpack_code(tmp_path / "a.zip", tmp_path / "there")


def test_a_named_file_that_is_missing_is_reported(folder: Path) -> None:
    (folder / "model.py").unlink()
    with pytest.raises(ConfigError, match=r"model\.py: there is no such file"):
        fingerprint_code(folder, PROJECT)


def test_an_error_shows_the_persons_own_frames_and_no_more(folder: Path) -> None:
    function = load_function(folder, "model.py", "build_model")
    with pytest.raises(UserCodeError) as error, own_frames(folder, "calling build_model"):
        function({}, None, {})
    assert str(error.value).splitlines()[:2] == [
        "calling build_model failed: ZeroDivisionError: division by zero",
        "    model.py, line 2, in build_model: return 1 / 0",
    ]
    assert "usercode.py" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_that_name\n", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("def broken(:\n", "model.py, line 1: def broken(:"),
        ("x = 1\n", "has no function build_model"),
        ("build_model = 3\n", "has no function build_model"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0\n    model.py, line 2"),
        ("x = '\x00'\n", "null bytes"),
        ("def again():\n    again()\nagain()\n", "maximum recursion depth exceeded"),
    ],
)
def test_code_that_does_not_import_says_where(folder: Path, text: str, message: str) -> None:
    (folder / "model.py").write_text(text)
    with pytest.raises(UserCodeError) as error:
        load_function(folder, "model.py", "build_model")
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) < 20
    assert "usercode.py" not in str(error.value)


@pytest.mark.parametrize("name", ["../other/model.py", "/somewhere/model.py"])
def test_code_outside_the_projects_folder_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    other = Project.model_validate({**PROJECT.model_dump(by_alias=True), "code": {"model": name}})
    with pytest.raises(ConfigError, match="lies outside the project's folder"):
        pack_code(folder, other, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_the_reviewed_schema_travels_with_the_code(folder: Path, tmp_path: Path) -> None:
    (folder / "schema.pbtxt").write_text("")
    pack_code(folder, PROJECT, tmp_path / "a.zip")
    assert "schema.pbtxt" in zipfile.ZipFile(tmp_path / "a.zip").namelist()


def test_the_project_names_other_files(folder: Path) -> None:
    (folder / "model.py").rename(folder / "net.py")
    other = Project.model_validate({**PROJECT.model_dump(by_alias=True), "code": {"model": "net.py"}})
    assert fingerprint_code(folder, other)


def test_two_projects_in_one_process_keep_their_modules_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "preprocessing.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "model.py").write_text(
            "from preprocessing import NAME\ndef build_model():\n    return NAME\n"
        )
        assert load_function(tmp_path / name, "model.py", "build_model")() == name
