"""Credentials in addresses are masked, and other text is unchanged."""

import time

import pytest

from components._core.credentials import find_credentials, mask_credentials, masked, masked_uri, places_with_credentials
from components._core.errors import ConfigError

PASSWORDS = ["PW", "p/w", "p@w", "p@/w@", "p?w", "p#w", "p:w", "p%2Fw", "p'w", 'p"w', "/w", "p w", "70000"]
SIGNED = [
    "https://host/t.csv?X-Amz-Algorithm=AWS4&X-Amz-Signature=SECRET",
    "https://host/t.csv?x-amz-signature=SECRET#part",
    "https://host/t.csv?X-Amz-Security-Token=SECRET&a=1",
    "https://host/t.csv?AWSAccessKeyId=SECRET&Expires=1",
    "https://host/t.csv?X-Goog-Signature=SECRET",
    "https://account.blob.core.windows.net/c/t.csv?sv=2022&se=2026&sig=SECRET%3D",
    "https://host/t.csv?token=SECRET",
    "https://host/t.csv?access_token=SECRET",
    "https://host/t.csv?a=1;api_key=SECRET",
    "https://host/t.csv?apikey=SECRET",
    "https://host/t.csv#access_token=SECRET",
    "https://host/t.csv?X%2DAmz%2DSignature=SECRET",
    "https://proxy/?url=https%3A%2F%2Fhost%2Ft.csv%3Fsig%3DSECRET",
    "simplecache::https://host/t.csv?password=SECRET",
    "s3://bucket/t.csv?secret=SECRET",
    "http:/host/t.csv?Signature=SECRET",
]
INNOCENT = [
    "data/flights-{span}.csv",
    "s3://bucket/data@2024/t.csv",
    "s3://bucket/flights-{span}.csv?versionId=abc",
    "https://host:8443/a/t.csv?format=csv&gid=0&code=KR&country=turkey",
    "abfss://container@account.dfs.core.windows.net/t.csv",
    "ssh://git@host/team/models",
    "hf://datasets/me/table@main/t.csv",
    "github://org:repo@main/t.csv",
    "file:///home/me@work/a:b@c.csv",
    "sqlite:////home/a:b@c/mlflow.db",
    "http://localhost:8080: no answer; write to a@b.org",
    "http://[::1]:8080/x",
    "naru-stages:1.0@sha256:abc",
    "a regex \\d{2}; key=5",
]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["http", "s3", "postgresql+psycopg2"])
def test_a_password_is_masked_whole_whatever_signs_it_holds(scheme: str, password: str) -> None:
    address = f"{scheme}://me:{password}@host/t.csv"
    assert masked_uri(address) == f"{scheme}://***@host/t.csv"
    for text in (address, f"{address}: there is no such file", f"from {address}\nand on"):
        assert password not in mask_credentials(text)
        assert "me:" not in mask_credentials(text)
    assert find_credentials(address)


@pytest.mark.parametrize("address", SIGNED)
def test_a_signature_in_an_address_is_masked_and_found(address: str) -> None:
    for shown in (masked_uri(address), mask_credentials(f"found {address!r}; not there"), masked([address])[0]):
        assert "SECRET" not in shown
        assert "***" in shown
    assert find_credentials(address)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_holds_no_credentials_is_left_as_it_is(text: str) -> None:
    assert mask_credentials(text) == text
    assert not find_credentials(text)


def test_a_port_with_an_at_in_the_path_is_masked_in_case_and_not_refused() -> None:
    assert masked_uri("http://host:8080/@me/t.csv") == "http://***@me/t.csv"
    assert not find_credentials("http://host:8080/@me/t.csv")


def test_a_token_alone_before_the_host_is_a_credential() -> None:
    assert masked_uri("https://TOKEN@host/t.csv") == "https://***@host/t.csv"
    assert find_credentials("https://TOKEN@host/t.csv")


def test_two_addresses_in_a_line_are_both_masked() -> None:
    shown = mask_credentials("http://a:SEC1@h1/x and s3://b:SE/C2@h2/y")
    assert shown == "http://***@h1/x and s3://***@h2/y"


def test_every_naru_error_is_masked_in_each_of_its_parts() -> None:
    address = "http://me:PW@host/t.csv?sig=SIG"
    error = ConfigError(f"found {address!r}", where=address, remedy=f"not {address}")
    for part in (error.message, error.where, error.remedy, str(error), repr(error)):
        assert "PW" not in part
        assert "SIG" not in part


def test_the_places_of_credentials_in_nested_values_are_found() -> None:
    value = {"data": {"source": "s3://k:s@b/x"}, "list": [{"a": "plain"}, "https://h/x?sig=S"]}
    assert [place for place, _ in places_with_credentials(value)] == ["data.source", "list"]


def test_masking_a_long_text_takes_no_longer_than_its_length() -> None:
    began = time.perf_counter()
    for text in ("a:/" * 10_000, "http://a:" * 5_000, "?a=" * 10_000, "&" * 30_000, "a" * 30_000 + "@"):
        mask_credentials(text)
        find_credentials(text)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "uri",
    [
        "https://api.example/download?datasetKey=50c9",
        "https://host/t.csv?sort_key=date&primary_key=id",
        "https://host/t.csv?session=2024&country_code=KR",
        "zip://data.csv::s3://bucket/x@y.zip",
    ],
)
def test_ordinary_queries_are_not_refused(uri: str) -> None:
    assert find_credentials(uri) == ""
