"""What models need on a cluster beside Naru itself: Seldon's operator, and the Secret that opens the store to their servers."""

from __future__ import annotations

import subprocess
from typing import Any

from components._core.settings import MODELS_NAMESPACE

_STORE = "http://naru-object-store.naru:7070"

__all__ = ["MODELS_NAMESPACE", "has_seldon", "models_secret", "store_keys"]


def has_seldon() -> bool:
    command = ["kubectl", "get", "customresourcedefinition", "seldondeployments.machinelearning.seldon.io"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def models_secret(variables: dict[str, str]) -> dict[str, Any]:
    """The Secret of docs/serving.md, for the bundled store."""
    keys = store_keys(
        _STORE, variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_REGION"]
    )
    metadata = {"name": "naru-models", "namespace": MODELS_NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys}


def store_keys(endpoint: str, key: str, secret: str, region: str) -> dict[str, str]:
    """For rclone, which fetches the model, and for the server, which writes its request log."""
    rclone = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "false",
        "REGION": region,
        "ENDPOINT": endpoint,
        "ACCESS_KEY_ID": key,
        "SECRET_ACCESS_KEY": secret,
    }
    aws = {"ENDPOINT_URL": endpoint, "REGION": region, "ACCESS_KEY_ID": key, "SECRET_ACCESS_KEY": secret}
    return {
        **{f"RCLONE_CONFIG_S3_{name}": value for name, value in rclone.items()},
        **{f"AWS_{name}": value for name, value in aws.items()},
    }
