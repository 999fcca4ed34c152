"""What the tests on a cluster know of it: environment variables, and nothing else.

| variable | what it says | when it is not there |
| --- | --- | --- |
| `KUBECONFIG` | the cluster | nothing is tested |
| `NARU_E2E_OVERLAY` | the overlay to deploy | `kind` |
| `NARU_E2E_LOAD` | a command that brings an image to the nodes, as in `kind load docker-image {image}` | with `NARU_REGISTRY` and `NARU_TAG` the images are pushed; without, they are taken to be there |
| `NARU_E2E_GPU` | a command that gives a node the pool's label and device | that test is skipped |
| `NARU_E2E_BROWSER` | a Chromium | `chromium` on the path, else the test of the web page is skipped |
| `NARU_E2E_STORE` | the store of the overlay, as it is reached from here | `kubectl port-forward` to the bundled one |
| `NARU_E2E_KFP_STORE` | the S3 that KFP writes artifacts to, as it is reached from here | `kubectl port-forward` to `seaweedfs` |
| `NARU_E2E_KFP_NAMESPACE` | where KFP is | `kubeflow` |
| `KF_PIPELINES_ENDPOINT` | KFP's API, as it is reached from here | `kubectl port-forward` to `ml-pipeline` |
| `KF_PIPELINES_UI_ENDPOINT` | KFP's web page | the test of the web page is skipped |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | the store's credentials | new ones, as the bundled store takes any |
| `NARU_POOLS` | the cluster's pools | ours, but for CPU requests, which are small, and the image, which needs no CUDA |
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Environment:
    """The variables above. Credentials are never shown."""

    kubeconfig: str
    overlay: str
    load: str
    gpu: str
    browser: str
    store: str
    kfp_store: str
    kfp_namespace: str
    kfp: str
    ui: str

    @classmethod
    def read(cls) -> Environment:
        asked = {name: os.environ.get(f"NARU_E2E_{name.upper()}", "") for name in ("load", "gpu", "store", "kfp_store")}
        return cls(
            **asked,
            kubeconfig=os.environ.get("KUBECONFIG", ""),
            overlay=os.environ.get("NARU_E2E_OVERLAY") or "kind",
            browser=os.environ.get("NARU_E2E_BROWSER") or shutil.which("chromium") or "",
            kfp_namespace=os.environ.get("NARU_E2E_KFP_NAMESPACE") or "kubeflow",
            kfp=os.environ.get("KF_PIPELINES_ENDPOINT", ""),
            ui=os.environ.get("KF_PIPELINES_UI_ENDPOINT", "").rstrip("/"),
        )

    def loading(self, image: str) -> list[str]:
        return [part.replace("{image}", image) for part in shlex.split(self.load)]


def credentials() -> dict[str, str]:
    """The store's, from the environment, or new ones."""
    new = {"AWS_ACCESS_KEY_ID": "naru-e2e", "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(18)}
    return {name: os.environ.get(name) or value for name, value in new.items()}
