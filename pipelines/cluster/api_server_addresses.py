"""Where the API server's own requests come from: network policies let it in by its addresses, which no label tells."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from components._cluster.kubernetes_client import Cluster, Object

PLACEHOLDER = "192.0.2.1/32"
"""An address that nobody has (RFC 5737), where a manifest means the API server."""

_ENDPOINTS: Object = {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "metadata": {"name": "kubernetes", "namespace": "default"},
}


def with_api_server(cluster: Cluster, wanted: list[Object]) -> list[Object]:
    """The objects with the API server's addresses in their network policies, where a placeholder stands for them.

    The Service `kubernetes` tells the addresses. Without it the placeholder stays, and the API server is not let in.

    Raises:
        NaruError: When the cluster does not answer, or does not let its Service be read.
    """
    if not any(PLACEHOLDER in _blocks(one) for one in wanted):
        return wanted
    blocks = [{"ipBlock": {"cidr": address}} for address in _addresses(cluster)]
    return [_replaced(one, blocks) if blocks and PLACEHOLDER in _blocks(one) else one for one in wanted]


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
