"""Keys of the bundled store: one pair for each of those who use it, made once; the server's own root key stays in its pod.

| Secret | who has it | may (`manifests/components/object-store/users.py`) |
| --- | --- | --- |
| `naru/naru-store-root` | the store | everything |
| `naru/naru-store-reader` | MLflow | read |
| `naru/naru-store-servers`, and in `naru-models` the Secret `naru-models` | model servers | read, and write request logs |

The stages' own, `naru-store`, comes from the environment of `make deploy`. Over a store outside all of them are its owner's to make.
"""

from __future__ import annotations

import secrets

from components._cluster.kubernetes_client import Cluster, Object
from components._core.settings import MODELS_NAMESPACE
from pipelines.cluster.secret_rotation import content_of, read_secret
from pipelines.placement import CONFIG_MAP, CREDENTIALS

STORE = "naru-object-store"
SPACE = "naru"
READER = "naru-store-reader"
SERVERS = "naru-store-servers"
MADE = ("naru-store-root", READER, SERVERS)
MODELS = "naru-models"
"""Secret with which model servers open the store: `serve.secret` unless a project names another."""


def bundled_secrets(cluster: Cluster, wanted: list[Object]) -> dict[tuple[str, str], dict[str, str]]:
    """Content by namespace and name, as it is on the cluster or new; empty where the overlay has no store of its own."""
    if not any(one["kind"] == "StatefulSet" and one["metadata"]["name"] == STORE for one in wanted):
        return {}
    found = {(SPACE, name): _present_or_new(cluster, name) for name in MADE}
    if any(one["kind"] == "Namespace" and one["metadata"]["name"] == MODELS_NAMESPACE for one in wanted):
        found[MODELS_NAMESPACE, MODELS] = _of_servers(found[SPACE, SERVERS], wanted)
    return found


def _present_or_new(cluster: Cluster, name: str) -> dict[str, str]:
    live = read_secret(cluster, SPACE, name)
    held = content_of(live) if live else {}
    if all(held.get(key) for key in CREDENTIALS):
        return {key: held[key] for key in CREDENTIALS}
    return dict(zip(CREDENTIALS, (name, secrets.token_urlsafe(24)), strict=True))


def _of_servers(keys: dict[str, str], wanted: list[Object]) -> dict[str, str]:
    named = (one["data"] for one in wanted if one["kind"] == "ConfigMap" and one["metadata"]["name"] == CONFIG_MAP)
    settings = next(named)
    key, secret = (keys[name] for name in CREDENTIALS)
    return server_keys(settings["AWS_ENDPOINT_URL"], key, secret, settings["AWS_REGION"])


def server_keys(endpoint: str, key: str, secret: str, region: str) -> dict[str, str]:
    """Content of the Secret of model servers: for rclone, with which Seldon fetches a model, and for the request log."""
    rclone = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "false",
        "REGION": region,
        "ENDPOINT": endpoint,
        "ACCESS_KEY_ID": key,
        "SECRET_ACCESS_KEY": secret,
    }
    own = {"ENDPOINT_URL": endpoint, "REGION": region, "ACCESS_KEY_ID": key, "SECRET_ACCESS_KEY": secret}
    return {
        **{f"RCLONE_CONFIG_S3_{name}": value for name, value in rclone.items()},
        **{f"AWS_{name}": value for name, value in own.items()},
    }
