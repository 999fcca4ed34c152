"""What only S3 has: its credentials and its address, and Delta tables in it."""

from pathlib import Path

import pytest

from components._core.errors import ConfigError, DataError, ServiceError, UnavailableError
from components._core.store.ledger import current_champion
from components._core.store.object_store import upload
from components._data.sources.registry import open_source
from tests.components.data.sources.databases.reading import read
from tests.components.data.sources.delta_table import DeltaTableWriter
from tests.components.data.sources.test_delta import SCHEMA, rows
from tests.containers.s3_server import S3Server

pytestmark = pytest.mark.containers


def test_what_is_there_whole_is_not_sent_again(s3: S3Server, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.txt").write_text("a")
    upload(tmp_path / "model", "s3://naru/again/model")
    sent = s3.folder / "naru" / "again" / "model" / "a.txt"
    before = sent.stat().st_ino
    upload(tmp_path / "model", "s3://naru/again/model")
    assert sent.stat().st_ino == before


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
def test_a_delta_table_is_read_by_version_and_by_the_address_in_the_bucket(tmp_path: Path) -> None:
    table = DeltaTableWriter(tmp_path / "t", SCHEMA)
    table.write(table.add("a.parquet", rows(1, 2)))
    table.write(table.remove("a.parquet"), table.add("b.parquet", rows(10, 20, 30)))
    upload(tmp_path / "t", "s3://naru/delta/t")
    assert read("delta://s3://naru/delta/t@0", "y")[1].to_pydict() == rows(1, 2).to_pydict()
    assert read("delta://s3://naru/delta/t", "y")[1]["a"].to_pylist() == [10, 20, 30]
    sources = [open_source(f"delta://s3://naru/delta/t{version}") for version in ("@0", "@1", "")]
    assert sources[0].fingerprint("all") != sources[1].fingerprint("all") == sources[2].fingerprint("all")
    with pytest.raises(DataError, match="cannot be read as a Delta table"):
        open_source("delta://s3://naru/delta/none").list_files("all")
    with pytest.raises(DataError, match="there is no such version"):
        open_source("delta://s3://naru/delta/t@9").list_files("all")


def test_a_delta_table_whose_store_refuses_the_key_is_reported_without_the_secret(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-but-secret")
    with pytest.raises((ServiceError, UnavailableError, DataError)) as caught:
        open_source("delta://s3://naru/delta/t").list_files("all")
    assert "wrong-but-secret" not in str(caught.value) and s3.folder.is_dir()
