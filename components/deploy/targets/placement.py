"""Where model servers run on a cluster and from which image, and how a compiled pipeline passes that to its deploy stage.

The pipeline's compiler writes the placements of every pool into one environment variable of the deploy stage; which one a
project uses is known only when the stage runs. Writer and reader are here, so that the compiler does not import the rollout.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from components._core.errors import ConfigError
from components._core.extras import build_command
from components._core.project.project_file import Project
from components._core.request_log.location import log_uri

PLACEMENTS = "NARU_SERVING_PLACEMENTS"
"""Environment variable of the deploy stage with the placements by protocol and pool, written when the pipeline is compiled."""
IMAGES = {"v2": "naru-server:python3.12", "seldon": "naru-server-seldon:python3.11"}
"""The server's image by protocol."""
ONNX_IMAGES = {"v2": "naru-server-onnx:python3.12"}
"""The same server without TensorFlow, by protocol, for models that are ONNX as a whole; that of Seldon's protocol has one image for all."""

SERVER_ACCOUNT = "naru-models"
"""Service account of the servers where a cloud identity opens the store (`manifests/components/serving`)."""


@dataclass(frozen=True)
class Placement:
    """Where the servers of a version run, and from which image.

    Attributes:
        image: Full name of the server's image.
        onnx_image: Full name of the image for models that need no TensorFlow; empty: there is none, and `image` serves them too.
        namespace: Namespace of the servers; empty: the namespace that the object is applied to.
        pull_secrets: Names of the Secrets for the image registry.
        selector: Labels of the nodes.
        tolerations: Tolerated taints of the nodes, as in a pod's spec.
        devices: Count of each kind of device, as in `{"nvidia.com/gpu": 1}`.
        extras: The extras of frameworks that the image was built with.
        account: Service account of the servers, whose cloud identity opens the store; empty: the namespace's default, and keys.
        store: Object store of the runs, as servers reach it; holds the request log unless the project names another URI.
        reaches_google: Whether the images of the servers have the client of Google Cloud Storage.
    """

    image: str = IMAGES["v2"]
    onnx_image: str = ""
    namespace: str = ""
    pull_secrets: tuple[str, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()
    devices: dict[str, int] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    account: str = ""
    store: str = ""
    reaches_google: bool = False

    def reaches(self, uri: str) -> bool:
        """Return whether the servers can read and write in a store, for their request log and gauges."""
        return uri.startswith("s3://") or (self.reaches_google and uri.startswith("gs://"))

    def image_for(self, *, needs_tensorflow: bool) -> str:
        """Full name of the image that serves a model."""
        return self.image if needs_tensorflow or not self.onnx_image else self.onnx_image


def check_log(project: Project, placement: Placement, store: str) -> None:
    """Refuse a request log that the servers on a cluster cannot write.

    Args:
        project: The project.
        placement: Where they run, and from which images.
        store: Object store of the runs.

    Raises:
        ConfigError: With what the log needs.
    """
    log = project.serve.request_log
    uri = log_uri(log, store, project.name)
    if log is None or not uri.startswith("gs://") or placement.reaches(uri):
        return
    if project.serve.protocol not in ONNX_IMAGES:
        message = f"the servers of protocol {project.serve.protocol!r} write to S3 only, and the log is {uri}"
        remedy = "set serve.protocol: v2, name a place in S3 with serve.request_log.uri, or leave the log out"
    else:
        message = f"the servers' images are not known to have the extra 'gcs', which the log {uri} needs"
        remedy = f"{build_command([*placement.extras, 'gcs'])}; or name a place in S3 with serve.request_log.uri; or leave it out"
    raise ConfigError(message, where="serve.request_log", remedy=remedy)


def describe_missing_gauges(project: Project, placement: Placement, store: str) -> str:
    """Say that the servers show no gauges of monitor and triggers, whose results are in a store that they do not reach; empty: they do."""
    if project.serve.request_log is None or not store.startswith("gs://") or placement.reaches(store):
        return ""
    return f"the servers show no gauges of monitor and triggers: they do not reach {store} (docs/monitoring.md, At Prometheus)"


def name_of_image(image: str) -> str:
    """The name of an image without registry, tag and digest, as in `naru-server`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def load_placement(project: Project, namespace: str) -> Placement:
    """Load the placement for the project's protocol and pool from the compiled pipeline.

    Raises:
        ConfigError: When the pipeline has no placements, or no such pool.
    """
    written = os.environ.get(PLACEMENTS, "")
    if not written:
        remedy = "compile the pipeline again: naru apply"
        raise ConfigError("the pipeline does not say where servers run", where=PLACEMENTS, remedy=remedy)
    pools: dict[str, dict[str, Any]] = json.loads(written)[project.serve.protocol]
    if project.serve.pool not in pools:
        remedy = "name a pool of the pools file that the pipeline was compiled with, or compile it again: naru apply"
        raise ConfigError(f"unknown pool {project.serve.pool!r}", where="serve.pool", remedy=remedy)
    chosen = pools[project.serve.pool]
    lists = {name: tuple(value) for name, value in chosen.items() if isinstance(value, list)}
    return Placement(**{**chosen, **lists, "namespace": namespace})


def dump_placements(placements: Mapping[str, Mapping[str, Placement]]) -> str:
    """Write placements by protocol and pool for `load_placement`, as compact JSON without empty fields."""
    raw = {
        protocol: {pool: {name: value for name, value in asdict(one).items() if value} for pool, one in pools.items()}
        for protocol, pools in placements.items()
    }
    return json.dumps(raw, separators=(",", ":"), sort_keys=True)
