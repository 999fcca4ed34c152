"""Keys of the bundled store: one pair for each user, made once; the server's own root key stays in its pod.

| Secret | user | permissions (`manifests/components/object-store/users.py`) |
| --- | --- | --- |
| `naru/naru-store-root` | the store | everything |
| `naru/naru-store-reader` | MLflow | read |
| `naru/naru-store-servers`, and in `naru-models` the Secret `naru-models` | model servers | read, and write request logs |

The stages' own, `naru-store`, comes from the environment of `make deploy`. With an external store its owner makes all of them; where a cloud
identity opens it, `naru-models/naru-models` alone is needed, and holds no keys.
"""

from __future__ import annotations

import secrets

from components._cluster.kubernetes_client import Cluster, Object
from components._core.settings import MODELS_NAMESPACE
from pipelines.cluster.cloud_identity import has_identity, rclone_settings
from pipelines.cluster.secret_rotation import content_of, read_secret
from pipelines.placement import CONFIG_MAP
from pipelines.stage_secrets import CREDENTIALS

STORE = "naru-object-store"
SPACE = "naru"
READER = "naru-store-reader"
SERVERS = "naru-store-servers"
MADE = ("naru-store-root", READER, SERVERS)
MODELS = "naru-models"
"""Secret with the model servers' keys of the store: the default of `serve.secret`."""


def bundled_secrets(cluster: Cluster, desired: list[Object]) -> dict[tuple[str, str], dict[str, str]]:
    """Make the Secrets' content by namespace and name, from the cluster or new.

    Without a bundled store there is one at most: that of the model servers, where a cloud identity opens the store.
    """
    if has_identity(desired):
        return {(MODELS_NAMESPACE, MODELS): _identity_secret(desired)} if _serves(desired) else {}
    if not any(one["kind"] == "StatefulSet" and one["metadata"]["name"] == STORE for one in desired):
        return {}
    found = {(SPACE, name): _present_or_new(cluster, name) for name in MADE}
    if _serves(desired):
        found[MODELS_NAMESPACE, MODELS] = _server_secret(found[SPACE, SERVERS], desired)
    return found


def settings_of(desired: list[Object]) -> dict[str, str]:
    """Return the settings of an overlay, the same in every namespace."""
    named = (one["data"] for one in desired if one["kind"] == "ConfigMap" and one["metadata"]["name"] == CONFIG_MAP)
    return dict(next(named, {}))


def _serves(desired: list[Object]) -> bool:
    return any(one["kind"] == "Namespace" and one["metadata"]["name"] == MODELS_NAMESPACE for one in desired)


def _identity_secret(desired: list[Object]) -> dict[str, str]:
    settings = settings_of(desired)
    return rclone_settings(settings["NARU_STORE"], settings["AWS_REGION"])


def _present_or_new(cluster: Cluster, name: str) -> dict[str, str]:
    live = read_secret(cluster, SPACE, name)
    held = content_of(live) if live else {}
    if all(held.get(key) for key in CREDENTIALS):
        return {key: held[key] for key in CREDENTIALS}
    return dict(zip(CREDENTIALS, (name, secrets.token_urlsafe(24)), strict=True))


def _server_secret(keys: dict[str, str], desired: list[Object]) -> dict[str, str]:
    settings = settings_of(desired)
    key, secret = (keys[name] for name in CREDENTIALS)
    return server_keys(settings["AWS_ENDPOINT_URL"], key, secret, settings["AWS_REGION"])


def server_keys(endpoint: str, key: str, secret: str, region: str) -> dict[str, str]:
    """Make the content of the model servers' Secret: for rclone, with which Seldon fetches a model, and for the request log."""
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
