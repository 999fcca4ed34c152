"""Cloud identities of service accounts in the place of keys: which overlays have them, and what Secrets remain.

On EKS an account has an IAM role (IRSA), on GKE a Google service account (Workload Identity), by an annotation of the overlay.
"""

from __future__ import annotations

from components._cluster.kubernetes_client import Object
from components._core.errors import ConfigError

ANNOTATIONS = ("eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account")
RUNNER = "naru-runner"
"""Service account of the runs."""


def has_identity(desired: list[Object]) -> bool:
    """Return whether the runs of an overlay open the store by a cloud identity, and read no keys."""
    return any(
        one["kind"] == "ServiceAccount"
        and one["metadata"]["name"] == RUNNER
        and any((one["metadata"].get("annotations") or {}).get(name) for name in ANNOTATIONS)
        for one in desired
    )


def rclone_settings(store: str, region: str) -> dict[str, str]:
    """Make the content of the model servers' Secret, which then holds nothing secret: rclone, with which Seldon fetches a model, goes by the identity.

    rclone takes the scheme of a model's address as the name of a section.

    Args:
        store: Address of the store.
        region: Region of a store in S3.

    Raises:
        ConfigError: When the store is neither in S3 nor in Google Cloud Storage.
    """
    scheme = store.partition("://")[0]
    sections = {
        "s3": {"TYPE": "s3", "PROVIDER": "AWS", "ENV_AUTH": "true", "REGION": region},
        # the operator's image sets ANONYMOUS, which goes before every credential
        "gs": {"TYPE": "google cloud storage", "ANONYMOUS": "false", "ENV_AUTH": "true", "BUCKET_POLICY_ONLY": "true"},
    }
    if scheme not in sections:
        raise ConfigError(
            f"found {store!r}; allowed with a cloud identity: s3://bucket, gs://bucket", where="NARU_STORE"
        )
    own = {"AWS_REGION": region} if scheme == "s3" else {}
    return {**{f"RCLONE_CONFIG_{scheme.upper()}_{name}": value for name, value in sections[scheme].items()}, **own}
