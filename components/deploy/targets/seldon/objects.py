"""The part of `machinelearning.seldon.io/v1` that Naru uses, as a closed schema: any other field is an error.

Seldon's own schema is open, so that it may silently drop a misspelt field. A pod's spec belongs to Kubernetes and is left open;
only what Seldon reads of it is modelled here.
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
    """Metadata of the SeldonDeployment."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Node(_Part):
    """One step of the inference graph."""

    name: str
    type: Literal["MODEL", "ROUTER", "COMBINER", "TRANSFORMER", "OUTPUT_TRANSFORMER"] = "MODEL"
    implementation: str = ""
    modelUri: str = ""
    envSecretRefName: str = ""
    children: list[Node] = []

    def walk(self) -> Iterator[Node]:
        """Yield this node and all its descendants."""
        yield self
        for child in self.children:
            yield from child.walk()


class Target(_Part):
    """Target utilization of the autoscaler."""

    type: Literal["Utilization"]
    averageUtilization: int


class Resource(_Part):
    """Resource that the autoscaler measures."""

    name: Literal["cpu"]
    target: Target


class Metric(_Part):
    """One metric of the autoscaler."""

    type: Literal["Resource"]
    resource: Resource


class Autoscaler(_Part):
    """Autoscaler of one predictor; `metricsv2` becomes the metrics of `autoscaling/v2`."""

    minReplicas: Annotated[int, Field(ge=1)] = 1
    maxReplicas: Annotated[int, Field(ge=1)]
    metricsv2: list[Metric]


class Disruption(_Part):
    """Disruption budget: most pods that may be down when nodes are drained."""

    maxUnavailable: int


class Component(_Part):
    """A Deployment of a predictor."""

    spec: dict[str, Any]
    replicas: int | None = None
    hpaSpec: Autoscaler | None = None
    pdbSpec: Disruption | None = None

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Containers of its pods."""
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
        """Names of the containers of all its pods."""
        return [str(container.get("name")) for component in self.componentSpecs for container in component.containers]


class Spec(_Part):
    """Spec of the SeldonDeployment."""

    protocol: str
    transport: str = ""
    predictors: list[Predictor]


class SeldonDeployment(_Part):
    """A SeldonDeployment."""

    apiVersion: Literal["machinelearning.seldon.io/v1"]
    kind: Literal["SeldonDeployment"]
    metadata: Metadata
    spec: Spec
