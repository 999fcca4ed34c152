"""The store, the ledger and a source in a real S3."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError, ServiceError, UnavailableError
from components._core.files import hash_file, write_text
from components._core.store.filesystems import open_filesystem
from components._core.store.ledger import Deployment, append_deployment, current_champion, read_deployments
from components._core.store.object_store import fetch, upload
from components._data.sources.registry import open_source
from components._frameworks.contract import Progress
from components.train.checkpoints import Checkpoint
from tests.components.data.sources.test_same_examples import TABLE, digest
from tests.containers.s3_server import S3Server

pytestmark = pytest.mark.containers

DEPLOYMENT = Deployment("1", "m", "s", "c", {"auc": 0.9}, "f", "r", "2026-01-01T00:00:00+00:00", "me", "a test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_text(tmp_path / "folder" / "a.txt", "a")
    write_text(tmp_path / "folder" / "below" / "b.txt", "b" * (6 << 20))  # more than one part of an upload
    return tmp_path / "folder"


def _put(uri: str, text: str) -> None:
    files, path = open_filesystem(uri)
    files.pipe_file(path, text.encode())


@pytest.mark.usefixtures("s3")
def test_a_folder_goes_up_and_comes_back_whole(folder: Path, tmp_path: Path) -> None:
    hashes = upload(folder, "s3://naru/whole/model")
    assert hashes == {"a.txt": hash_file(folder / "a.txt"), "below/b.txt": hash_file(folder / "below" / "b.txt")}
    here = fetch("s3://naru/whole/model", tmp_path / "here")
    assert hash_file(here / "below" / "b.txt") == hashes["below/b.txt"]
    assert (here / "a.txt").read_text() == "a"


def test_what_is_there_whole_is_not_sent_again(s3: S3Server, folder: Path) -> None:
    upload(folder, "s3://naru/again/model")
    sent = s3.folder / "naru" / "again" / "model" / "a.txt"
    before = sent.stat().st_ino
    upload(folder, "s3://naru/again/model")
    assert sent.stat().st_ino == before


@pytest.mark.usefixtures("s3")
def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no such folder"):
        fetch("s3://naru/gone", tmp_path)


@pytest.mark.usefixtures("s3")
def test_an_empty_ledger_has_no_champion() -> None:
    assert current_champion("s3://naru/empty", "flights") is None


@pytest.mark.usefixtures("s3")
def test_eight_writers_get_eight_lines_of_the_ledger() -> None:
    def append(number: int) -> str:
        return append_deployment("s3://naru/ledger", "flights", replace(DEPLOYMENT, version=str(number)))

    with ThreadPoolExecutor(8) as pool:
        uris = list(pool.map(append, range(8)))
    assert len(set(uris)) == 8
    lines = read_deployments("s3://naru/ledger", "flights")
    assert sorted(line.version for line in lines) == [str(number) for number in range(8)]
    assert current_champion("s3://naru/ledger", "flights") == lines[-1]


@pytest.mark.usefixtures("s3")
def test_spans_are_found_and_pinned_by_their_content() -> None:
    for span in (1, 2):
        _put(f"s3://naru/data/flights-{span:02d}.csv", f"a,b\n{span},2\n")
    found = open_source("s3://naru/data/flights-{span}.csv").list_files("all")
    assert [(file.span, file.name) for file in found] == [(1, "flights-01.csv"), (2, "flights-02.csv")]
    with found[1].filesystem.open(found[1].path, "rb") as stream:
        assert stream.read() == b"a,b\n2,2\n"
    before = open_source("s3://naru/data/flights-{span}.csv").fingerprint("all")
    assert open_source("s3://naru/data/flights-{span}.csv").fingerprint("all") == before
    _put("s3://naru/data/flights-02.csv", "a,b\n2,3\n")
    assert open_source("s3://naru/data/flights-{span}.csv").fingerprint("all") != before


@pytest.mark.usefixtures("s3")
def test_a_source_that_is_not_there_is_bad_data() -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source("s3://naru/data/none.csv").list_files("all")


@pytest.mark.usefixtures("s3")
def test_a_checkpoint_is_kept_read_and_forgotten() -> None:
    checkpoint = Checkpoint.of("s3://naru/store", "flights", "abc")
    assert checkpoint.load() is None
    checkpoint.save(Progress(1, 2, 1, [np.ones(3)], [np.zeros(3)]))
    kept = checkpoint.load()
    assert kept is not None and kept.steps == 2 and kept.variables[0].tolist() == [1, 1, 1]
    checkpoint.remove()
    assert checkpoint.load() is None


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_no_empty_store() -> None:
    with pytest.raises(ServiceError, match="no such bucket"):
        current_champion("s3://nobody-made-this/store", "flights")


@pytest.mark.usefixtures("s3")
def test_refused_credentials_are_reported_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-but-secret")
    with pytest.raises(ServiceError, match="AWS_SECRET_ACCESS_KEY") as caught:
        current_champion("s3://naru/store", "flights")
    assert "wrong-but-secret" not in str(caught.value)


@pytest.mark.usefixtures("s3")
def test_a_server_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="AWS_ENDPOINT_URL"):
        current_champion("s3://naru/store", "flights")


def test_an_endpoint_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "store:9000")
    with pytest.raises(ConfigError, match="http://host:port"):
        current_champion("s3://naru/store", "flights")


@pytest.mark.usefixtures("s3")
def test_missing_credentials_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ConfigError, match="AWS_ACCESS_KEY_ID"):
        current_champion("s3://naru/store", "flights")


@pytest.mark.usefixtures("s3")
def test_parquet_in_the_bucket_gives_the_examples_of_a_csv_on_disk(tmp_path: Path) -> None:
    for folder in ("disk", "bucket"):
        (tmp_path / folder).mkdir()
    pyarrow.csv.write_csv(TABLE, tmp_path / "t.csv")
    pq.write_table(TABLE, tmp_path / "t.parquet")
    upload(tmp_path / "t.parquet", "s3://naru/same/t.parquet")
    expected = digest(tmp_path / "disk", str(tmp_path / "t.csv"))
    assert digest(tmp_path / "bucket", "s3://naru/same/t.parquet") == expected
