"""Every failure of a server or a network is reported in one or two lines with a remedy, and never with the token."""

import socket
from pathlib import Path

import pytest

from components._core.errors import ConfigError, ServiceError, UnavailableError
from components._kfp.connection import Connection
from components._kfp.kfp_client import KfpClient
from tests.components.kfp.kfp_server import KfpServer

SECRET = "eyJhbGciOi.very.secret"


def _open() -> KfpClient:
    return KfpClient(Connection.from_environment())


def test_no_server_is_named(held: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT")
    with pytest.raises(ConfigError, match=r"(?s)no KFP server is set.*kubectl port-forward"):
        _open()


@pytest.mark.parametrize("address", ["localhost:8888", "http://", "ftp://x", "http://me:secret@host", "http://a b"])
def test_an_address_that_is_none_is_refused_and_not_repeated(
    held: KfpServer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", address)
    with pytest.raises(ConfigError, match="allowed: https://host") as refused:
        _open()
    assert "secret" not in str(refused.value)


def test_nothing_answers(held: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr("components._kfp.kfp_client._RETRIES", False)
        with pytest.raises(UnavailableError, match=r"(?s)no KFP server answers: .*refused.*port-forward") as raised:
            _open()
    assert "object at 0x" not in str(raised.value)


def test_something_else_answers(held: KfpServer) -> None:
    held.page = "<html>hello</html>"
    with pytest.raises(ConfigError, match=r"is not a KFP server"):
        _open()


def test_the_address_has_a_path_too_many(held: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", f"{held.endpoint}/pipeline")
    with pytest.raises(ConfigError, match=r"answers \(404\), but is not a KFP server"):
        _open()


def test_http_spoken_where_tls_is_expected(held: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", held.endpoint.replace("http", "https"))
    monkeypatch.setattr("components._kfp.kfp_client._RETRIES", False)
    with pytest.raises(ConfigError, match=r"(?s)not trusted here.*NARU_KFP_CA"):
        _open()


def test_the_token_opens_and_a_file_of_it_is_read_again_each_time(
    held: KfpServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    held.token = SECRET
    kfp = _open()
    held.token = "renewed"
    file.write_text("renewed")
    kfp.get("/healthz")


@pytest.mark.parametrize("status", [401, 403, 404, 409, 500, 503])
def test_a_refusal_says_what_to_do_and_not_the_token(
    held: KfpServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("NARU_KFP_TOKEN", SECRET)
    monkeypatch.setattr("components._kfp.kfp_client._RETRIES", False)
    kfp = _open()
    held.refuse("GET", "/pipelines", status, 1, "no, because")
    with pytest.raises(ServiceError, match=rf"(?s)refused \({status}\): no, because\n  -> ") as refused:
        kfp.get("/pipelines")
    assert isinstance(refused.value, UnavailableError) == (status >= 500)
    assert SECRET not in f"{refused.value!r} {refused.value} {kfp.connection!r} {refused.value.__cause__}"


def test_an_expired_token_says_how_to_get_another(held: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    held.token = "another"
    monkeypatch.setenv("NARU_KFP_TOKEN", SECRET)
    with pytest.raises(ServiceError, match=r"(?s)\(401\).*expired: make a new one \(NARU_KFP_TOKEN"):
        _open()


@pytest.mark.parametrize("content", [b"two\nlines", b"\xff\xfe"])
def test_a_file_that_holds_no_token_is_reported_without_it(
    held: KfpServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    with pytest.raises(ConfigError, match="KF_PIPELINES_SA_TOKEN_PATH") as refused:
        _open()
    assert "two" not in str(refused.value)


def test_a_server_for_several_users_wants_a_namespace(held: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    held.multi_user = True
    with pytest.raises(ConfigError, match=r"(?s)no namespace is set.*profile"):
        _open()
    monkeypatch.setenv("NARU_KFP_NAMESPACE", "team")
    _open()


@pytest.mark.parametrize(("name", "value"), [("NARU_KFP_CA", "/no/such.pem"), ("NARU_KFP_TIMEZONE", "Europe/Berlim")])
def test_a_setting_that_cannot_be_is_reported_by_its_name(
    held: KfpServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        _open()
