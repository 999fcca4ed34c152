"""Notices reach real servers of HTTP and SMTP; no address is shown, whatever goes wrong, and no server holds anybody up."""

import socket
import time

import pytest

from components._core.errors import ConfigError
from components._notices import channels
from components._notices.channels import Channel, read_channels
from components._notices.outbox import Notice
from tests.components.notices.servers import mail_server, webhook

NOTICE = Notice(
    "k", "failed", "flights", "flights: run failed", "line one\nline two", "naru report flights", "s3://b/r", {"n": 1}
)
SECRET = "s3cr3t-t0ken"


def _channels(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[Channel]:
    monkeypatch.setenv("NARU_NOTIFY_URLS", " ".join(addresses))
    return read_channels()


def _try(channel: Channel) -> str:
    return channel.try_send(f"[naru] {NOTICE.title}", NOTICE.to_json())


def test_a_webhook_gets_the_notice_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as (host, got):
        (channel,) = _channels(monkeypatch, f"http://me:{SECRET}@{host}/hook?token={SECRET}")
        assert _try(channel) == ""
    (notice,) = got
    assert notice["text"] == "flights: run failed\nline one\nline two\ns3://b/r\nnext: naru report flights"
    assert (notice["key"], notice["state"], notice["facts"]) == ("k", "failed", {"n": 1})
    assert notice["path"] == f"/hook?token={SECRET}" and notice["authorization"].startswith("Basic ")


def test_a_mail_goes_to_all_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as (port, got):
        (channel,) = _channels(
            monkeypatch, f"smtp://127.0.0.1:{port}?from=naru@a.example&to=me%2Bx@b.example,you+alerts@c.example"
        )
        assert _try(channel) == ""
    assert "Subject: [naru] flights: run failed" in got[0] and "To: me+x@b.example, you+alerts@c.example" in got[0]
    assert "line two" in got[0]


def test_a_title_of_several_lines_makes_no_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as (port, got):
        (channel,) = _channels(monkeypatch, f"smtp://127.0.0.1:{port}?from=naru@a.example&to=me@b.example")
        assert channel.try_send("a\r\nBcc: evil@d.example", NOTICE.to_json()) == ""
    assert "\r\nBcc:" not in got[0]


def test_a_password_is_not_sent_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as (port, got):
        (channel,) = _channels(monkeypatch, f"smtp://me:{SECRET}@127.0.0.1:{port}?from=a@a.example&to=b@b.example")
        assert "offers no TLS" in _try(channel)
    assert got == []


@pytest.mark.parametrize(
    ("status", "reason"), [(500, "HTTP 500"), (404, "HTTP 404"), (302, "HTTP 302"), (307, "HTTP 307")]
)
def test_a_webhook_that_does_not_take_it_is_named_by_its_place(
    monkeypatch: pytest.MonkeyPatch, status: int, reason: str
) -> None:
    with webhook(status) as (host, _):
        (channel,) = _channels(monkeypatch, f"http://{host}/{SECRET}")
        assert _try(channel) == f"address 1 (http): {reason}"


def test_a_mail_server_that_refuses_is_named_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server(refuse="MAIL") as (port, _):
        (channel,) = _channels(monkeypatch, f"smtp://127.0.0.1:{port}?from=a@a.example&to=b@b.example")
        assert _try(channel) == "address 1 (smtp): SMTP 550"


def test_nobody_there_is_a_reason_without_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for scheme in ("http", "https", "smtp", "smtps"):
        (channel,) = _channels(
            monkeypatch, f"{scheme}://u:{SECRET}@127.0.0.1:{port}/{SECRET}?from=a@a.example&to=b@b.example"
        )
        assert _try(channel) == f"address 1 ({scheme}): cannot be reached (ConnectionRefusedError)"


def test_a_server_that_drips_or_says_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_SECONDS_IN_ALL", 0.5)
    with webhook(drip=True) as (host, _), socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for address in (f"http://{host}/", f"http://127.0.0.1:{port}/", f"smtp://127.0.0.1:{port}?from=a@a.b&to=b@b.c"):
            (channel,) = _channels(monkeypatch, address)
            started = time.monotonic()
            assert "no answer within 0.5 s" in _try(channel)
            assert time.monotonic() - started < 5


@pytest.mark.parametrize("address", [f"hook-{SECRET}", f"ftp://h/{SECRET}", f"http:///{SECRET}", f"http://h:x/{SECRET}",
                                     f"smtp://u:{SECRET}@h", f"smtp://u:{SECRET}@h?from=a@b&to=c", f"http://[{SECRET}"])  # fmt: skip
def test_a_malformed_address_is_refused_by_its_place(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(ConfigError) as error:
        _channels(monkeypatch, "https://fine.example/hook", address)
    assert "address 2" in str(error.value) and "allowed: https://" in str(error.value)
    assert SECRET not in str(error.value) and error.value.__cause__ is None


def test_without_addresses_there_are_no_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NARU_NOTIFY_URLS", raising=False)
    assert read_channels() == []


def test_a_channel_never_shows_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SECRET not in repr(_channels(monkeypatch, f"https://h/{SECRET}"))


def test_a_token_of_a_service_may_stand_where_others_have_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apprise")
    token = "A" * 35
    monkeypatch.setenv("NARU_NOTIFY_URLS", f"tgram://123456789:{token}/12345")
    (channel,) = read_channels()
    assert channel.name == "address 1 (tgram)"
    monkeypatch.setenv("NARU_NOTIFY_URLS", f"https://host:{token}/x")
    with pytest.raises(ConfigError, match="address 1 is not an address") as error:
        read_channels()
    assert token not in str(error.value)


def test_a_service_of_apprise_gets_the_notice_and_its_failure_names_no_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("apprise")
    with webhook() as (host, got):
        (channel,) = _channels(monkeypatch, f"json://user:{SECRET}@{host}/hook")
        assert channel.name == "address 1 (json)" and _try(channel) == ""
        (sent,) = got
        assert sent["title"] == "[naru] flights: run failed" and sent["message"].endswith("next: naru report flights")
    with webhook(500) as (host, _):
        (channel,) = _channels(monkeypatch, f"json://user:{SECRET}@{host}/hook")
        assert _try(channel) == "address 1 (json): the service did not take it"
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize("address", [f"slack://{SECRET}", f"nosuch://{SECRET}@h", "discord://"])
def test_a_malformed_address_of_a_service_is_refused_when_it_is_read(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    pytest.importorskip("apprise")
    with pytest.raises(ConfigError, match="address 1 has an unknown scheme, or is not as apprise expects it") as error:
        _channels(monkeypatch, address)
    assert SECRET not in str(error.value) and error.value.__cause__ is None


def test_without_the_extra_a_service_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components._core.extras._is_installed", lambda _: False)
    with pytest.raises(ConfigError, match="packages that are not installed: apprise") as error:
        _channels(monkeypatch, f"slack://{SECRET}")
    assert "naru[notify]" in error.value.remedy and SECRET not in str(error.value)
