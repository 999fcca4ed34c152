"""The part of `machinelearning.seldon.io/v1` that we use, closed: a field that is not here is a mistake of ours.

Seldon's own schema is open, so that a misspelt field may be dropped without a word. A pod's spec is Kubernetes' own and
stays as it is; only what Seldon looks at in it is known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION = "machinelearning.seldon.io/v1"
KIND = "SeldonDeployment"
NO_ENGINE = "seldon.io/no-engine"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Metadata(_Part):
    """Of the whole object."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Node(_Part):
    """One step of the graph that a request goes through."""

    name: str
    type: Literal["MODEL", "ROUTER", "COMBINER", "TRANSFORMER", "OUTPUT_TRANSFORMER"] = "MODEL"
    implementation: str = ""
    modelUri: str = ""
    envSecretRefName: str = ""
    children: list[Node] = []

    def walk(self) -> Iterator[Node]:
        """This one and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


class Target(_Part):
    """From when a pod is too busy."""

    type: Literal["Utilization"]
    averageUtilization: int


class Resource(_Part):
    """What the autoscaler looks at."""

    name: Literal["cpu"]
    target: Target


class Metric(_Part):
    """One measure of the autoscaler."""

    type: Literal["Resource"]
    resource: Resource


class Autoscaler(_Part):
    """Of one predictor; `metricsv2` is what becomes the metrics of `autoscaling/v2`."""

    minReplicas: Annotated[int, Field(ge=1)] = 1
    maxReplicas: Annotated[int, Field(ge=1)]
    metricsv2: list[Metric]


class Disruption(_Part):
    """How many pods may be away at once when nodes are emptied."""

    maxUnavailable: int


class Component(_Part):
    """A Deployment of a predictor."""

    spec: dict[str, Any]
    replicas: int | None = None
    hpaSpec: Autoscaler | None = None
    pdbSpec: Disruption | None = None

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Of its pods."""
        return list(self.spec.get("containers", []))


class Predictor(_Part):
    """One model version and its pods."""

    name: str
    graph: Node
    componentSpecs: list[Component] = []
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}
    traffic: int | None = None
    shadow: bool = False

    @property
    def container_names(self) -> list[str]:
        """Of all its pods."""
        return [str(container.get("name")) for component in self.componentSpecs for container in component.containers]


class Spec(_Part):
    """What is served."""

    protocol: str
    transport: str = ""
    predictors: list[Predictor]


class SeldonDeployment(_Part):
    """The whole."""

    apiVersion: Literal["machinelearning.seldon.io/v1"]
    kind: Literal["SeldonDeployment"]
    metadata: Metadata
    spec: Spec
