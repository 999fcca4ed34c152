"""The channels of notices: a JSON webhook and mail by the standard library, and the services of apprise where it is installed.

Their addresses hold secrets. They come from the environment alone (`NARU_NOTIFY_URLS`, separated by blanks; in a pod from the file of a
Secret), and no message, log or
record has one: a channel is named by its place in that list and its kind.

| address | sends |
| --- | --- |
| `https://host/path` | the notice as JSON by POST; chats show its field `text` |
| `smtp://USER:PASSWORD@host:587?from=a@b.c&to=d@e.f,g@h.i` | a mail; encrypted where the server offers STARTTLS, and never a password without it |
| `smtps://...` | a mail over TLS from the start, port 465 |
| any other | a notice through apprise, the extra `notify`: its page lists the services and their addresses |
"""

from __future__ import annotations

import json
import logging
import os
import smtplib
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from components._core.errors import ConfigError
from components._core.extras import check_extra
from components._core.setting_names import NOTICE_FILE

ADDRESSES = "NARU_NOTIFY_URLS"
_SECONDS = 10.0
"""Bound of each step of a connection."""
_SECONDS_IN_ALL = 20.0
"""Bound of the whole: a server that answers a byte at a time holds nobody up."""
_OWN = ("http", "https", "smtp", "smtps")
_LONGEST_SUBJECT = 150
_ALLOWED = "allowed: https://, http://, smtp://, smtps://, and those of apprise; a mail needs ?from=...&to=..."


class _RefusedError(Exception):
    """A notice was not taken; the message holds no address."""


@dataclass(frozen=True)
class Channel:
    """A way to people.

    Attributes:
        name: Its place and kind, as in `address 2 (smtp)`: what messages show.
        send: Sends a title and a notice as a JSON object; raises whatever goes wrong.
    """

    name: str
    send: Callable[[str, dict[str, Any]], None]

    def try_send(self, title: str, notice: dict[str, Any]) -> str:
        """Send a notice within a bounded time; returns why it was not taken, without any address; empty: it was."""
        outcome: list[str] = []

        def work() -> None:
            try:
                self.send(title, notice)
                outcome.append("")
            except Exception as error:  # noqa: BLE001 - a notice must never end what it tells about
                outcome.append(_describe(error))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(_SECONDS_IN_ALL)
        reason = outcome[0] if outcome else f"no answer within {_SECONDS_IN_ALL:g} s"
        return f"{self.name}: {reason}" if reason else ""


def read_channels() -> list[Channel]:
    """Read the channels from the environment; none where no address is set.

    Raises:
        ConfigError: When an address is malformed; it is named by its place, since it may hold a secret.
    """
    addresses = os.environ.get(ADDRESSES, "") or _read_file(os.environ.get(NOTICE_FILE, ""))
    return [_open(address, number) for number, address in enumerate(addresses.split(), 1)]


def _read_file(name: str) -> str:
    """Read the addresses from a file of a Secret; empty where there is none: the Secret is optional."""
    try:
        return Path(name).read_text(encoding="utf-8") if name else ""
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise ConfigError("cannot be read as text", where=f"{NOTICE_FILE}={name}") from None


def _open(address: str, number: int) -> Channel:
    try:
        parts = urlsplit(address)
        is_own = parts.scheme in _OWN
        # of a service a token may stand where others have the port, as in tgram://NUMBER:TOKEN/CHAT
        host, _ = (parts.hostname, parts.port) if is_own else (None, None)
    except ValueError:
        parts, host, is_own = urlsplit(""), None, False
    if not parts.scheme:
        raise _malformed(number, "is not an address")
    if not host and is_own:
        raise _malformed(number, "has no host")
    name = f"address {number} ({parts.scheme})"
    if parts.scheme in ("http", "https"):
        return Channel(name, lambda _, notice: _post(address, notice))
    if parts.scheme in ("smtp", "smtps"):
        query = parse_qs(parts.query.replace("+", "%2B"))  # a mailbox may have a plus, which is not a blank here
        sender, receivers = query.get("from", [""])[0], query.get("to", [""])[0].split(",")
        if not all("@" in mailbox for mailbox in (sender, *receivers)):
            raise _malformed(number, "names no sender or receiver")
        return Channel(name, lambda title, notice: _mail(parts, sender, receivers, title, notice))
    return _open_service(address, number, name)


def _open_service(address: str, number: int, name: str) -> Channel:
    """Open a service of apprise, which reads its address at once and sends nothing."""
    where = f"environment variable {ADDRESSES}"
    what = f"address {number} has an unknown scheme (allowed: https://, http://, smtp://, smtps://), or one of a service, which"
    check_extra("notify", ["apprise"], what, where)
    import apprise

    logger = logging.getLogger("apprise")  # it writes addresses and what servers say
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    service = apprise.Apprise()
    try:
        is_known = service.add(address)
    except Exception:  # noqa: BLE001 - of a plugin: what it says may hold the address
        is_known = False
    if not is_known:
        raise _malformed(number, "has an unknown scheme, or is not as apprise expects it")

    def send(title: str, notice: dict[str, Any]) -> None:
        if not service.notify(body=notice["text"], title=title, body_format=apprise.NotifyFormat.TEXT):
            raise _RefusedError("the service did not take it")

    return Channel(name, send)


def _malformed(number: int, what: str) -> ConfigError:
    return ConfigError(f"address {number} {what}; {_ALLOWED}", where=f"environment variable {ADDRESSES}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: a POST that is redirected becomes a GET, and the notice is lost."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _post(address: str, notice: dict[str, Any]) -> None:
    parts = urlsplit(address)
    headers = {"Content-Type": "application/json", "User-Agent": "naru"}
    if parts.username is not None:
        from base64 import b64encode

        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = urllib.request.Request(address, json.dumps(notice).encode(), headers, method="POST")  # noqa: S310 - http or https
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=_SECONDS):
        pass  # taken: what it answers does not matter, and is not read


def _mail(parts: SplitResult, sender: str, receivers: list[str], title: str, notice: dict[str, Any]) -> None:
    message = EmailMessage()
    message["Subject"] = " ".join(title.split())[:_LONGEST_SUBJECT]
    message["From"], message["To"] = sender, ", ".join(receivers)
    message.set_content(notice["text"])
    context, host = ssl.create_default_context(), parts.hostname or ""
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=_SECONDS)
    with server:
        server.ehlo_or_helo_if_needed()
        encrypted = parts.scheme == "smtps"
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=context)
            encrypted = True
        if parts.username is not None:
            if not encrypted:
                raise _RefusedError("the server offers no TLS, and a password is not sent without it")
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def _describe(error: Exception) -> str:
    """Describe an error by its kind: what libraries write may hold the address or what a server repeated of it."""
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"SMTP {error.smtp_code}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, ssl.SSLError):
        return "its certificate is not trusted, or TLS failed"
    if isinstance(reason, (OSError, HTTPException)):
        return f"cannot be reached ({type(reason).__name__})"
    return type(reason).__name__
