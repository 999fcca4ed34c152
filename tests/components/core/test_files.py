import os
from pathlib import Path

import pytest

from components._core.files import fingerprint_folder, fingerprint_of, write_bytes, write_json


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    write_bytes(target, b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_bytes(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"old"


def test_json_is_written_the_same_whatever_the_order_of_keys(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 1, "y": [2]})
    write_json(tmp_path / "b", {"y": [2], "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_folders_fingerprint_is_of_names_and_contents(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_bytes(tmp_path / name / "sub" / "file", b"x")
    assert fingerprint_folder(tmp_path / "one") == fingerprint_folder(tmp_path / "two")
    (tmp_path / "two" / "sub" / "file").rename(tmp_path / "two" / "sub" / "other")
    assert fingerprint_folder(tmp_path / "one") != fingerprint_folder(tmp_path / "two")


def test_parts_do_not_run_together() -> None:
    assert fingerprint_of(["ab", "c"]) != fingerprint_of(["a", "bc"])


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o002, 0o000])
def test_a_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "new", b"x")
        (tmp_path / "old").write_bytes(b"")
        write_bytes(tmp_path / "old", b"x")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o666 & ~mask}
