"""The databases that ingest may reach: a setting of the overlay, as rules of the network policy `naru-sources`.

A network policy knows addresses and pods, no names. A name is looked up here, when an overlay is rendered: `make deploy` again when the
server behind it moves.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable

from components._cluster.kubernetes_client import Object
from components._core.errors import ConfigError

SETTING = "NARU_SOURCE_HOSTS"
POLICY = "naru-sources"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)?[a-z0-9-]+\.([a-z0-9-]+)\.svc(\.cluster\.local)?")
_ALLOWED = "host:port separated by blanks, as in db.example.com:5432, 10.1.0.0/16:5432, [fd00::7]:5432 or postgres.data.svc:5432"

Resolve = Callable[[str], Iterable[str]]
"""Looks up the addresses of a host; raises OSError when there are none."""


def with_source_hosts(desired: list[Object], resolve: Resolve | None = None) -> list[Object]:
    """Fill in the rules of the network policy for the hosts in the settings.

    Args:
        desired: The objects of an overlay.
        resolve: Looks up names; default: as this machine does.

    Raises:
        ConfigError: When an entry is not valid, or a name cannot be looked up.
    """
    entries = _setting(desired)
    if not entries:
        return desired
    rules = [_rule(entry, resolve or _addresses) for entry in entries]
    return [{**one, "spec": {**one["spec"], "egress": rules}} if _is_policy(one) else one for one in desired]


def _setting(desired: list[Object]) -> list[str]:
    named = (one["data"][SETTING] for one in desired if one["kind"] == "ConfigMap" and SETTING in one.get("data", {}))
    return list(dict.fromkeys(str(next(named, "")).split()))


def _is_policy(one: Object) -> bool:
    return bool(one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == POLICY)


def _rule(entry: str, resolve: Resolve) -> Object:
    host, _, port = entry.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise _refusal(entry, "has no port")
    return {"to": _peers(host, entry, resolve), "ports": [{"port": int(port), "protocol": "TCP"}]}


def _peers(host: str, entry: str, resolve: Resolve) -> list[Object]:
    """Select the pods of a Service's namespace, as policies are applied to pods, or the addresses of a host outside."""
    service = _SERVICE.fullmatch(host)
    if service:
        return [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": service[1]}}}]
    try:
        return [{"ipBlock": {"cidr": str(ipaddress.ip_network(host))}}]
    except ValueError:
        if not _HOST.fullmatch(host) or re.fullmatch(r"[0-9.]+", host):
            raise _refusal(entry, "is neither a name nor an address nor a network") from None
    try:
        addresses = sorted({str(ipaddress.ip_network(address)) for address in resolve(host)})
    except (OSError, UnicodeError) as error:
        remedy = "correct the name, or write the address; a name that only the cluster knows ends with .svc"
        message = f"{host!r} cannot be looked up: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(message, where=SETTING, remedy=remedy) from None
    return [{"ipBlock": {"cidr": address}} for address in addresses]


def _addresses(host: str) -> set[str]:
    return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}


def _refusal(entry: str, what: str) -> ConfigError:
    return ConfigError(f"{entry!r} {what}; allowed: {_ALLOWED}", where=SETTING)
