"""Addresses of the API server: network policies must admit it by address, because no label selects it."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from components._cluster.kubernetes_client import Cluster, Object

PLACEHOLDER = "192.0.2.1/32"
"""An unused address (RFC 5737) that stands for the API server in a manifest."""

_ENDPOINTS: Object = {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "metadata": {"name": "kubernetes", "namespace": "default"},
}


def with_api_server(cluster: Cluster, desired: list[Object]) -> list[Object]:
    """Replace the placeholder in network policies by the API server's addresses.

    The Service `kubernetes` has the addresses. Without it the placeholder stays, and the API server is not admitted.

    Raises:
        NaruError: When the cluster does not answer, or refuses access to its Service.
    """
    if not any(PLACEHOLDER in _blocks(one) for one in desired):
        return desired
    blocks = [{"ipBlock": {"cidr": address}} for address in _addresses(cluster)]
    return [_replaced(one, blocks) if blocks and PLACEHOLDER in _blocks(one) else one for one in desired]


def _addresses(cluster: Cluster) -> list[str]:
    found = cluster.get(_ENDPOINTS) or {}
    addresses = [address["ip"] for subset in found.get("subsets") or [] for address in subset.get("addresses") or []]
    return sorted(str(ipaddress.ip_network(address)) for address in addresses)


def _peers(policy: Object) -> list[list[Any]]:
    rules = policy.get("spec", {}).get("ingress", []) if policy["kind"] == "NetworkPolicy" else []
    return [rule["from"] for rule in rules if "from" in rule]


def _blocks(policy: Object) -> list[str]:
    return [peer["ipBlock"]["cidr"] for peers in _peers(policy) for peer in peers if "ipBlock" in peer]


def _replaced(policy: Object, blocks: list[Object]) -> Object:
    changed = copy.deepcopy(policy)
    for peers in _peers(changed):
        kept = [peer for peer in peers if peer.get("ipBlock", {}).get("cidr") != PLACEHOLDER]
        if len(kept) < len(peers):
            peers[:] = [*kept, *copy.deepcopy(blocks)]
    return changed
