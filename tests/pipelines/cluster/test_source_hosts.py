"""A setting of the overlay opens the network to the databases that ingest reads, and to nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from components._core.errors import ConfigError
from pipelines.cluster.source_hosts import POLICY, SETTING, with_source_hosts

NAMES = {"db.example.com": ["203.0.113.9", "203.0.113.7"], "v6.example.com": ["2001:db8::1"]}


def objects(hosts: str) -> list[dict[str, Any]]:
    policy = {"kind": "NetworkPolicy", "metadata": {"name": POLICY}, "spec": {"policyTypes": ["Egress"], "egress": []}}
    other = {"kind": "NetworkPolicy", "metadata": {"name": "other"}, "spec": {"egress": []}}
    return [{"kind": "ConfigMap", "metadata": {"name": "naru-settings"}, "data": {SETTING: hosts}}, policy, other]


def resolve(host: str) -> list[str]:
    if host not in NAMES:
        raise OSError(-2, "Name or service not known")
    return NAMES[host]


def rules(hosts: str) -> list[Any]:
    _, policy, other = with_source_hosts(objects(hosts), resolve)
    assert other["spec"]["egress"] == [] and policy["spec"]["policyTypes"] == ["Egress"]
    return list(policy["spec"]["egress"])


def _blocks(*addresses: str) -> list[Any]:
    return [{"ipBlock": {"cidr": address}} for address in addresses]


@pytest.mark.parametrize(
    ("host", "peers"),
    [
        ("10.20.0.5:5432", _blocks("10.20.0.5/32")),
        ("10.1.0.0/16:5432", _blocks("10.1.0.0/16")),
        ("[fd00::7]:5432", _blocks("fd00::7/128")),
        ("db.example.com:5432", _blocks("203.0.113.7/32", "203.0.113.9/32")),
        ("v6.example.com:5432", _blocks("2001:db8::1/128")),
        ("postgres.data.svc:5432", [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}]),
        ("pg-0.postgres.data.svc:5432", [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}]),
        ("pg.data.svc.cluster.local:5432", [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}]),
    ],
)  # fmt: skip
def test_an_entry_is_one_rule_for_its_port(host: str, peers: list[Any]) -> None:
    assert rules(host) == [{"to": peers, "ports": [{"port": 5432, "protocol": "TCP"}]}]


def test_entries_are_separated_by_blanks_and_none_of_them_opens_nothing() -> None:
    assert [rule["ports"][0]["port"] for rule in rules("10.0.0.1:5432\n 10.0.0.2:6432  10.0.0.1:5432")] == [5432, 6432]
    assert rules("") == rules("  ") == []


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("db.example.com", "'db.example.com' has no port"),
        ("10.0.0.5:0", "has no port"),
        ("10.0.0.5:99999", "has no port"),
        ("fd00::7", "is neither a name nor an address nor a network"),
        ("10.0.0.5/8:5432", "is neither"),
        ("10.0.0.500:5432", "is neither"),
        ("postgresql://db:5432", "is neither"),
        ("db..example.com:5432", "cannot be looked up|is neither a name"),
        (f"{'a' * 64}.com:5432", "cannot be looked up|is neither a name"),
        ("nowhere.example.com:5432", "'nowhere.example.com' cannot be looked up: Name or service not known"),
    ],
)
def test_an_entry_that_opens_nothing_is_refused(host: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        rules(host)
    assert refused.value.where == SETTING
