"""Every file of a registered version is verified before it is opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components._core.errors import ModelError, ServiceError
from components._core.files import hash_file, write_bytes
from components._core.store.file_digests import (
    Digests,
    digest_of_model,
    fetch_verified,
    fetch_version,
    list_digests,
    read_registered,
    verify_model,
    write_digests,
)
from components._core.store.object_store import absolute_uri

FILES = {
    "model/signature.json": b'{"task": "regression"}',
    "model/saved_model/saved_model.pb": bytes(range(256)),
    "model/saved_model/assets/carrier": b"UA\nAA\nB6\n",
    "model/saved_model/variables/variables.index": b"index",
    "model/saved_model/variables/variables.data-00000-of-00001": b"\0\1\2\3",
    "statistics/statistics.binpb": b"statistics",
    "schema/schema.pbtxt": b"feature {}",
    "sample.parquet": b"PAR1",
    "request.json": b"{}",
    "code.zip": b"PK",
}
Damage = Callable[[Path], None]


@pytest.fixture
def version(tmp_path: Path) -> tuple[Path, str]:
    """Create a registered version in a store, and its digest for the ledger's line."""
    folder = tmp_path / "store" / "v"
    for name, content in FILES.items():
        write_bytes(folder / name, content)
    write_digests(folder / "model")
    return folder, write_digests(folder)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap_lines(path: Path) -> None:
    first, second, *rest = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([second, first, *rest]))


@pytest.mark.parametrize("name", [*FILES, "sha256.json", "model/sha256.json"])
def test_one_flipped_bit_in_any_file_is_refused_with_its_name(version: tuple[Path, str], name: str) -> None:
    folder, digest = version
    flip(folder / name)
    with pytest.raises(ModelError) as error:
        fetch_version(f"{folder}/model", digest, folder.parent / "other")
    assert name in f"{error.value.where} {error.value.message}"
    assert error.value.remedy


@pytest.mark.parametrize("name", [*FILES, "sha256.json", "model/sha256.json"])
def test_a_missing_file_is_refused_with_its_name(version: tuple[Path, str], name: str) -> None:
    folder, digest = version
    (folder / name).unlink()
    with pytest.raises(ModelError, match=Path(name).name):
        fetch_version(f"{folder}/model", digest, folder.parent / "other")


@pytest.mark.parametrize("name", ["model/saved_model/assets/more", "model/.hidden", "statistics/x", "more.json"])
def test_an_additional_file_is_refused_with_its_name(version: tuple[Path, str], name: str) -> None:
    folder, digest = version
    write_bytes(folder / name, b"")
    with pytest.raises(ModelError, match=f"{name} exists but was not registered"):
        fetch_version(f"{folder}/model", digest, folder.parent / "other")


def test_what_is_not_a_plain_file_is_refused(version: tuple[Path, str]) -> None:
    folder, digest = version
    os.mkfifo(folder / "model" / "pipe")
    with pytest.raises(ModelError, match="model/pipe exists"):
        fetch_version(f"{folder}/model", digest, folder.parent / "other")
    (folder / "model" / "pipe").unlink()
    shutil.move(folder / "model" / "saved_model", folder.parent / "elsewhere")
    (folder / "model" / "saved_model").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(ModelError, match="saved_model"):
        fetch_version(f"{folder}/model", digest, folder.parent / "other")


def test_two_lines_of_a_vocabulary_that_are_swapped_are_refused(version: tuple[Path, str]) -> None:
    folder, digest = version
    swap_lines(folder / "model" / "saved_model" / "assets" / "carrier")
    with pytest.raises(ModelError, match="saved_model/assets/carrier has changed since it was registered"):
        fetch_verified(f"{folder}/model", digest, folder.parent / "other")


def test_a_model_whose_list_was_made_again_is_refused_by_the_digest_alone(version: tuple[Path, str]) -> None:
    folder, digest = version
    held = digest_of_model(folder / "model")
    flip(folder / "model" / "saved_model" / "assets" / "carrier")
    write_digests(folder / "model")
    verify_model(folder / "model")
    with pytest.raises(ModelError, match=r"sha256\.json has changed since the model was registered"):
        verify_model(folder / "model", held)
    write_digests(folder)
    with pytest.raises(ModelError, match=r"sha256\.json has changed since the model was registered"):
        fetch_verified(f"{folder}/model", digest, folder.parent / "other")


def test_only_what_will_be_opened_is_looked_at(version: tuple[Path, str]) -> None:
    folder, digest = version
    flip(folder / "code.zip")
    write_bytes(folder / "notes.txt", b"a person's")
    assert fetch_version(f"{folder}/model", digest, folder.parent / "other", ("model", "request.json")) == folder
    assert fetch_verified(f"{folder}/model", digest, folder.parent / "other") == folder / "model"
    with pytest.raises(ModelError, match=r"code\.zip has changed.*; notes\.txt exists"):
        fetch_version(f"{folder}/model", digest, folder.parent / "other")


def test_an_untouched_version_passes_as_a_path_and_as_an_address(version: tuple[Path, str]) -> None:
    folder, digest = version
    for uri in (str(folder), absolute_uri(str(folder)), f"{absolute_uri(str(folder))}/"):
        assert fetch_verified(f"{uri.rstrip('/')}/model", digest, folder.parent / "other").samefile(folder / "model")
    listed = read_registered(str(folder), digest)
    assert listed is not None
    assert listed.model == hash_file(folder / "model" / "sha256.json") == digest_of_model(folder / "model")
    assert sorted(list_digests(folder)) == sorted([*FILES, "model/sha256.json"])


def test_a_version_of_an_earlier_naru_is_used_and_said_once(
    version: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = version
    for listed in folder.rglob("sha256.json"):
        listed.unlink()
    for _ in range(3):
        fetch_verified(f"{folder}/model", "", folder.parent / "other")
        verify_model(folder / "model")
    assert capsys.readouterr().err.count("registered by an earlier Naru") == 1
    with pytest.raises(ModelError, match=r"sha256\.json, which lists the model's files, is missing"):
        fetch_verified(f"{folder}/model", "ab" * 32, folder.parent / "other")


def test_a_missing_version_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no such folder in the store"):
        fetch_verified(f"{tmp_path}/gone/model", "ab" * 32, tmp_path / "other")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b'{"a": "zz"}', b"\xff", b"[" * 100_000])
def test_a_list_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"sha256\.json"):
        Digests.parse(content, "sha256.json")
