"""Credentials in addresses: masked wherever a person may read them, refused wherever the environment is the place for them.

A user name and password before the host, or a signature in the query, gives access to anyone who reads a message, a
record or a log. `errors.py` masks with this module, so it imports nothing but the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

MASK = "***"

_ALONE = (
    "accesskeyid|auth|authorization|awsaccesskeyid|bearer|credential|credentials|googleaccessid|hmac|jwt|pass|passphrase"
    "|passwd|pw|pwd|sas|session|sessionid"
)
_SECRET_NAME = re.compile(rf"(?:.*[^a-z0-9])?(?:[a-z0-9]*(?:key|token|secret|password|signature|sig)|{_ALONE})")
_SURELY = re.compile(
    r"key|(?:.*[^a-z0-9])?(?:(?:api|access|secret|account|auth|subscription|private)[-_]?key|sas"
    r"|[a-z0-9]*(?:token|secret|password|signature|sig)|passwd|pwd|passphrase|awsaccesskeyid|x-amz-credential)"
)
"""Names of a query that are refused. Those of `_SECRET_NAME` are masked: `sort_key=date` gives no access, and masking it costs nothing."""
_NAMES_FIRST = frozenset({"abfs", "abfss", "adl", "az", "hdfs", "sftp", "ssh", "wasb", "wasbs"})
"""Schemes in whose addresses a name before the host is not a secret: a container, or the user of a key that is kept elsewhere."""
_NO_USERS = frozenset({"delta", "file", "git", "github", "local", "memory", "naru", "sqlite"})
"""Schemes without users: paths of this machine, `org:repository@reference` as fsspec writes it, `delta://table@version` and `naru://project@version`."""

_PARAMETERS = (
    re.compile(r"([?&;#])([^=&;#?\s'\"<>]{1,200})(=)([^&;#\s'\"<>]+)"),
    re.compile(r"(%3[Ff]|%26)([^=&;#?%\s'\"<>]{1,200})(%3[Dd])((?:(?!%26)[^&;#\s'\"<>])+)"),
)
"""`name=value` of a query, and the same percent-encoded, as in an address within an address."""
_ADDRESS = re.compile(r"\b([A-Za-z][\w+.-]{0,40}):(/{1,3})(?=([^\n]{0,20000}))")
_END = re.compile(r"[\s'\"<>]")
_ANYWHERE = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    "a bearer token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),
    "an Azure key": re.compile(r"(?<=AccountKey=)[^;\s'\"]+|(?<=SharedAccessSignature=)[^;\s'\"]+"),
}
"""Secrets that are recognised by their own format, anywhere in a text."""


def masked_uri(uri: str) -> str:
    """Mask the credentials in one address, for messages, records and logs: `http://***@host/t.csv?sig=***`.

    A password is masked whole, whatever characters it has: up to the last `@` of the address.
    """
    match = re.match(r"([A-Za-z][\w+.-]*):(/{1,3})", uri)
    if match and _user_info(match[1], uri[match.end() :]):
        uri = f"{match[0]}{MASK}{uri[uri.rindex('@') :]}"
    return _without_secrets(uri)


def mask_credentials(text: str) -> str:
    """Mask each address in a text as `masked_uri` does; if the end of an address is unclear, too much is masked rather than too little."""
    if "://" not in text and ":/" not in text and "=" not in text and not _may_hold_secret(text):
        return text
    return _without_secrets("\n".join(map(_without_user_info, text.split("\n"))))


def masked(value: Any) -> Any:
    """Mask every text in a JSON value."""
    if isinstance(value, dict):
        return {key: masked(held) for key, held in value.items()}
    if isinstance(value, list):
        return [masked(held) for held in value]
    return mask_credentials(value) if isinstance(value, str) else value


def find_credentials(text: str) -> str:
    """Describe the credentials in a text, in words; empty: it has none."""
    if any(_user_info(match[1], match[3], surely=True) for match in _ADDRESS.finditer(text)):
        return "a user name or password in a URL"
    if _ADDRESS.search(text) and any(
        _is_surely_secret(found[2]) for each in _PARAMETERS for found in each.finditer(text)
    ):
        return "a signature or token in a URL"
    return next((what for what, pattern in _ANYWHERE.items() if pattern.search(text)), "")


def places_with_credentials(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and kind of every credential in nested mappings and lists."""
    if isinstance(value, dict):
        for key, held in value.items():
            if isinstance(key, str) and (found := find_credentials(key)):
                yield place or "a field's name", found
            yield from places_with_credentials(held, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for held in value:
            yield from places_with_credentials(held, place)
    elif isinstance(value, str) and (found := find_credentials(value)):
        yield place, found


def _user_info(scheme: str, rest: str, *, surely: bool = False) -> bool:
    """Whether what follows `scheme://` begins with a user name or a password.

    Args:
        scheme: Scheme of the address.
        rest: The address after `scheme://`.
        surely: Whether to say no if it may as well be a port and a path with an `@` in it.
    """
    if "@" not in rest or scheme.lower() in _NO_USERS:
        return False
    nested = "::|" if surely else ""  # `zip://inner::s3://...` is one address in another
    authority = re.split(rf"{nested}[/?#\s'\"<>]", rest, maxsplit=1)[0]
    if "@" in authority:
        return ":" in authority.rpartition("@")[0] or scheme.lower() not in _NAMES_FIRST
    _, colon, after = re.sub(r"^\[[^\]]*\]", "", authority).partition(":")
    after = after.rstrip(":;,.)")  # punctuation of the surrounding sentence
    if not after:  # a password that begins with one of these characters, unlike `host: message`
        return bool(colon) and bool(re.match(r"[^\s:]*:[/?#'\"<>]\S*@", rest))
    if after.isdigit() and int(after[:6]) < 1 << 16:
        return not surely and "@" in _END.split(rest, maxsplit=1)[0]
    return True


def _without_user_info(line: str) -> str:
    """Mask the user information of each address in a line; text between two such passwords is lost."""
    kept, at = [], 0
    while match := _ADDRESS.search(line, at):
        rest = match[3]
        kept.append(line[at : match.end()])
        at = match.end()
        if _user_info(match[1], rest):
            at += _last_at(rest)
            kept.append(MASK)
    return "".join(kept) + line[at:]


def _last_at(rest: str) -> int:
    """Return the position of the `@` that ends the user information: the last one of the address.

    The address ends at the first blank or quote, unless no `@` came before it: then the password contains that
    character.
    """
    end = _END.search(rest)
    whole = rest[: end.start()] if end else rest
    return whole.rindex("@") if "@" in whole else rest.rindex("@")


def _without_secrets(text: str) -> str:
    for parameters in _PARAMETERS:
        text = parameters.sub(_masked_parameter, text)
    for pattern in _ANYWHERE.values():
        text = pattern.sub(MASK, text)
    return text


def _masked_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}{found[3]}{MASK}" if _is_secret(found[2]) else found[0]


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.fullmatch(unquote(name).strip().lower()))


def _is_surely_secret(name: str) -> bool:
    return bool(_SURELY.fullmatch(unquote(name).strip().lower()))


def _may_hold_secret(text: str) -> bool:
    return any(pattern.search(text) for pattern in _ANYWHERE.values())
