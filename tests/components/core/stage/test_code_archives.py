"""A code archive is read within bounds, and everything wrong with it is reported as an error of the archive."""

from __future__ import annotations

import io
import random
import stat
import zipfile
from pathlib import Path

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import parse_project
from components._core.stage import code_archives
from components._core.stage.code_archives import check_archive, fingerprint_archive, read_archive, unpack_archive
from components._core.stage.user_code import fingerprint_code, pack_code

PROJECT = parse_project({"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}})
MUTATIONS = 400


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "preprocessing.py").write_text("def preprocessing_fn(inputs):\n    return inputs\n")
    (folder / "model.py").write_text("def build_model(inputs, transform, hyperparameters):\n    return None\n")
    (folder / "é.py").write_text("ONE = 1\n" * 200)
    pack_code(folder, PROJECT, tmp_path / "code.zip")
    return tmp_path / "code.zip"


def archive(folder: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(folder / "made.zip", "w", **options) as pack:
        for name, content in files.items():
            pack.writestr(name, content)
    return folder / "made.zip"


def test_the_fingerprint_of_an_archive_is_that_of_the_code_in_it(packed: Path) -> None:
    expected = fingerprint_code(packed.parent / "source", PROJECT)
    assert fingerprint_archive(packed) == expected
    check_archive(packed, expected, "s3://store/p/code/x.zip")


def test_an_archive_with_other_code_is_refused_with_its_name(packed: Path, tmp_path: Path) -> None:
    expected = fingerprint_archive(packed)
    files = read_archive(packed)
    others = [
        {**files, "model.py": files["model.py"] + b"\n"},
        {**files, "sitecustomize.py": b"import os"},
        {name: content for name, content in files.items() if name != "é.py"},
        {("model.py" if name == "preprocessing.py" else name): content for name, content in files.items()},
    ]
    for other in others:
        with pytest.raises(ConfigError, match=r"s3://store/p/code/x\.zip: is not the code of this run"):
            check_archive(archive(tmp_path, other), expected, "s3://store/p/code/x.zip")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {f"m{number}.py": b"" for number in range(code_archives.MAX_FILES + 1)},
            "holds 1,001 files; allowed: 1,000",
        ),
        ({"a.py": bytes(code_archives.MAX_BYTES), "b.py": b"1"}, "holds more than 8 MiB"),
        ({"a" * 250 + ".py": b""}, "at most 200 bytes"),
        ({"é" * 120 + ".py": b""}, "at most 200 bytes"),
        ({"a\nb.py": b""}, "printable characters"),
        ({"\ud800.py".encode("utf-8", "surrogatepass").decode("latin-1"): b""}, "printable characters"),
        ({"../a.py": b""}, "is outside its folder"),
        ({"..\\a.py": b""}, "is outside its folder"),
        ({"/a.py": b""}, "is outside its folder"),
        ({"a.py": b"", "a.py/b.py": b""}, "cannot be written beside the other files"),
        ({"a.py/b.py": b"", "a.py": b""}, "cannot be written beside the other files"),
    ],
)
def test_what_no_code_archive_would_hold_is_refused(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        unpack_archive(archive(tmp_path, files), tmp_path / "there")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_methods_whose_output_can_be_bounded_are_unpacked(tmp_path: Path, method: int) -> None:
    with pytest.raises(ConfigError, match="allowed: deflate, or none"):
        read_archive(archive(tmp_path, {"a.py": b"ONE = 1\n"}, compression=method))


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as pack:
        pack.writestr("a.py", "ONE = 1\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            pack.writestr("a.py", "ONE = 2\n")
    with pytest.raises(ConfigError, match=r"holds 'a\.py' twice"):
        read_archive(tmp_path / "made.zip")


def test_a_size_that_is_a_lie_fills_no_memory(tmp_path: Path) -> None:
    made = archive(tmp_path, {"a.py": bytes(50 << 20)}, compression=zipfile.ZIP_DEFLATED)
    size = (50 << 20).to_bytes(4, "little")
    made.write_bytes(made.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(ConfigError, match="is not a code archive"):
        read_archive(made)


def test_a_pipe_or_a_link_in_an_archive_is_written_as_a_plain_file_or_refused(tmp_path: Path) -> None:
    for kind in (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFLNK):
        member = zipfile.ZipInfo("a.py")
        member.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "made.zip", "w") as pack:
            pack.writestr(member, "/etc/passwd")
        if kind == stat.S_IFLNK:
            with pytest.raises(ConfigError, match="is outside its folder"):
                unpack_archive(tmp_path / "made.zip", tmp_path / "there")
        else:
            unpack_archive(tmp_path / "made.zip", tmp_path / "there")
            assert (tmp_path / "there" / "a.py").read_text() == "/etc/passwd"


def test_a_damaged_archive_ends_in_an_error_of_ours_or_holds_what_it_held(packed: Path, tmp_path: Path) -> None:
    """Bytes changed, cut, doubled and moved at random places, many of them in the headers."""
    whole, chance, refused = packed.read_bytes(), random.Random(7), 0
    before = read_archive(packed)
    for number in range(MUTATIONS):
        damaged = tmp_path / "damaged.zip"
        damaged.write_bytes(_mutated(whole, chance, number))
        try:
            found = read_archive(damaged)
        except ConfigError:
            refused += 1
        else:  # a checksum guards contents; names, times and remarks have none, and the fingerprint does for names
            assert set(found.values()) <= set(before.values())
    assert refused > MUTATIONS // 2


def _mutated(whole: bytes, chance: random.Random, number: int) -> bytes:
    content = bytearray(whole)
    headers = [at for mark in (b"PK\3\4", b"PK\1\2", b"PK\5\6") for at in _places(whole, mark)]
    match number % 4:
        case 0:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        case 1:  # in a header, where sizes, offsets, flags and methods are
            place = chance.choice(headers) + chance.randrange(46)
            content[min(place, len(content) - 1)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
        case 2:
            del content[chance.randrange(len(content)) :]
        case _:
            start = chance.randrange(len(content))
            content[start : start + chance.randrange(1, 60)] = chance.randbytes(chance.randrange(60))
    return bytes(content)


def _places(whole: bytes, mark: bytes) -> list[int]:
    return [at for at in range(len(whole)) if whole.startswith(mark, at)]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6" + bytes(18), b"\0" * 1_000, io.BytesIO().getvalue()])
def test_what_is_not_a_zip_holds_nothing_or_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    if content.startswith(b"PK\5\6"):
        assert read_archive(tmp_path / "a.zip") == {}
    else:
        with pytest.raises(ConfigError, match="is not a code archive"):
            read_archive(tmp_path / "a.zip")


def test_an_archive_that_is_a_folder_or_is_not_there_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(ConfigError, match="is not a code archive"):
            read_archive(place)


@pytest.mark.parametrize("name", ["/etc/hostname", "../schema.pbtxt", "a/../../schema.pbtxt"])
def test_a_schema_outside_the_project_is_refused_when_it_is_packed(packed: Path, name: str) -> None:
    project = PROJECT.model_copy(update={"schema_file": name})
    with pytest.raises(ConfigError, match=r"schema: '.*' lies outside the project's folder"):
        fingerprint_code(packed.parent / "source", project)


def test_a_finished_model_may_be_larger_than_code(tmp_path: Path) -> None:
    model = bytes(code_archives.MAX_BYTES + 1)
    assert read_archive(archive(tmp_path, {"model.onnx": model, "a.py": b""})) == {"model.onnx": model, "a.py": b""}
    with pytest.raises(ConfigError, match=r"a\.zip: holds a model of more than 64 MiB"):
        code_archives.check_size([("m.onnx", code_archives.MAX_MODEL_BYTES), ("n.onnx", 1)], "a.zip")


def test_code_that_no_stage_would_unpack_is_refused_when_it_is_packed(packed: Path) -> None:
    (packed.parent / "source" / "data.py").write_bytes(bytes(code_archives.MAX_BYTES))
    with pytest.raises(ConfigError, match="holds more than 8 MiB"):
        pack_code(packed.parent / "source", PROJECT, packed)
