"""The contract between deploy and a deployment target, independent of any target.

There are two kinds of target, with different abilities:

* A `RolloutTarget` (Seldon) keeps versions in service. It observes what is served (`see`), starts servers of one or two versions
  (`apply`), waits until they run (`wait`), gives a client of each server (`client`), routes requests to one version or to both
  (`route`), and rolls a version back (`restore`). For a live test the servers of the version in service reach those of another one
  (`connect`). The rollout's state machine, its bake, its history and live tests (`components/deploy/rollout`) use only these methods.
* A `ComparisonTarget` (the laptop) keeps nothing in service: its servers exist for one comparison. So there is nothing to observe
  before it, no user traffic to route, and nothing to roll back. Unlike a cluster it may load-test both versions, as no user waits
  for their answers.

A target is a package next to this module, and one line in `table.py`. It imports this contract, never another target.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from components._core.errors import ServiceError
from components._core.examples.samples import Sample
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.ledger import Deployment, now
from components._core.store.live_tests import LiveTest
from components.deploy.comparison import Comparison
from components.deploy.model_client import InferenceClient
from components.deploy.server_metrics import Counts
from components.deploy.targets.placement import Placement


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model, as it is served.

    Attributes:
        version: The version that is returned with each answer.
        uri: The model's folder, as the servers reach it: `s3://bucket/...`.
        sha256: Digest of the list of the model's files, which its servers verify; empty for a version of an earlier Naru.
        needs_tensorflow: Whether its servers call it with TensorFlow.
    """

    version: str
    uri: str
    sha256: str = field(default="", compare=False)
    needs_tensorflow: bool = field(default=True, compare=False)

    @property
    def key(self) -> str:
        """Name of its servers, unique to this version of this model."""
        return f"m-{hashlib.sha256(f'{self.version} {self.uri}'.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Servers:
    """The servers of one version, to be applied or as they were applied.

    Attributes:
        key: Name of the servers on the target: `ModelVersion.key`.
        model: The version that they serve.
        replicas: Number that was applied; an autoscaler may have changed it since.
        native: The target's own description; only the target reads it.
    """

    key: str
    model: ModelVersion
    replicas: int
    native: Any = None


@dataclass(frozen=True)
class Server:
    """One server that is ready.

    Attributes:
        id: Distinguishes this server from a replacement of the same name.
        name: Name of the server, for messages.
        cold_start_seconds: Time from its start until it was ready; None: unknown.
    """

    id: str
    name: str
    cold_start_seconds: float | None = None


@dataclass(frozen=True)
class Observation:
    """What is served at one time.

    Attributes:
        exists: Whether anything is served for the project.
        keys: Keys of the versions that are applied; the first gets the requests by default.
        servers: The ready servers, by key.
        replicas: Desired number of servers, by key; a key is missing where the target does not know.
        restarts: Restarts of servers, by key.
        routed: Key of the version that gets every request; empty: each gets some, or it is not known.
        live_test: Name of the live test that the servers of a version were started for; empty: none.
        native: The target's own observation; only the target reads it.
    """

    exists: bool
    keys: tuple[str, ...] = ()
    servers: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    routed: str = ""
    live_test: str = ""
    native: Any = None

    def ready(self, key: str) -> tuple[Server, ...]:
        """The servers of a version that are ready."""
        return self.servers.get(key, ())


@dataclass(frozen=True)
class Share:
    """One step of a canary.

    Attributes:
        requested: Percent of the requests that the project sets for the canary.
        replicas: Number of the canary's servers.
        percent: Percent that the canary gets, as close as the target can hold it.
    """

    requested: int
    replicas: int
    percent: float


@dataclass(frozen=True)
class Moment:
    """A point in time on two clocks.

    Attributes:
        at: Wall-clock time, ISO 8601, UTC.
        seconds: Time on the rollout's clock.
    """

    at: str
    seconds: float


@dataclass(frozen=True)
class Timing:
    """How often a target is polled, and how long a rollout waits.

    Attributes:
        poll: Seconds between two polls.
        patience: Factor on the time for which a server's failure is tolerated.
        silence: Seconds for which the target may be unreachable.
        now: The clock.
        sleep: Waits for some seconds.
    """

    poll: float = 2.0
    patience: float = 1.0
    silence: float = 120.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def moment(self) -> Moment:
        """The current moment."""
        return Moment(now(), self.now())


class RolloutError(ServiceError):
    """A version failed; the rollout rolls back."""


class TakenOverError(ServiceError):
    """Somebody else changed what is served; the rollout stops without further changes."""


class GoneError(ServiceError):
    """What is served was deleted by somebody else, or none of its servers is left: requests fail.

    Args:
        message: What is gone.
        where: Where it was served.
        since: The last poll that found it.
    """

    def __init__(self, message: str, *, where: str, since: Moment) -> None:
        super().__init__(f"{message}; it is not recorded by whom", where=where)
        self.since = since


class ServerClient(InferenceClient, Protocol):
    """A client of one server."""

    def count(self) -> Counts:
        """Read what the server has counted since it started.

        Raises:
            ServiceError: When it does not report it.
        """
        ...


class RolloutTarget(ABC):
    """Keeps versions of one project's model in service.

    Attributes:
        timing: Clock and timeouts of the target and its rollout.
        extras: The extras of frameworks that the image of its servers was built with.
        has_onnx_image: Whether models that need no TensorFlow are served from an image of their own, which needs no extras.
    """

    timing: Timing
    extras: tuple[str, ...] = ()
    has_onnx_image: bool = False

    @abstractmethod
    def begin(self) -> None:
        """Begin a new rollout: forget what an earlier one applied."""

    @abstractmethod
    def see(self) -> Observation:
        """Observe what is served.

        Raises:
            ServiceError: When the target refuses, or is unreachable for longer than `timing.silence`.
        """

    @abstractmethod
    def adopt(self, seen: Observation) -> list[Servers]:
        """Take over what is served as the starting point; return its servers, in the order of `Observation.keys`."""

    @abstractmethod
    def describe(self, model: ModelVersion, replicas: int | None = None) -> Servers:
        """Describe the servers of a version, without starting any.

        Args:
            model: The version.
            replicas: A fixed number; None: the number and the autoscaling of the project.
        """

    @abstractmethod
    def describe_live_test(
        self, stable: ModelVersion, challenger: ModelVersion, test: LiveTest, replicas: int
    ) -> tuple[Servers, Servers]:
        """Describe the servers of both versions in a live test, without starting any: those of the stable version copy or forward requests.

        Args:
            stable: The version in service.
            challenger: The version under test.
            test: The test.
            replicas: Number of servers of the version under test.

        Raises:
            ConfigError: When the target cannot run it.
        """

    @abstractmethod
    def resize(self, servers: Servers, replicas: int) -> Servers:
        """Describe the same servers in a fixed number."""

    @abstractmethod
    def check(
        self, servers: Servers, seen: Observation, missing_files: Sequence[str], features: Sequence[str] | None
    ) -> None:
        """Refuse what cannot be served, before anything is changed.

        Args:
            servers: The servers of the new version.
            seen: What is served now.
            missing_files: URIs of missing files of the model.
            features: Names of the model's inputs; None: unknown.

        Raises:
            ConfigError: With every violation.
        """

    @abstractmethod
    def hold_shares(self, requested: Sequence[int], stable: int) -> list[Share]:
        """Return the steps of a canary that can be held beside this many servers of the stable version."""

    @abstractmethod
    def apply(self, servers: Sequence[Servers], weight: int = 0) -> None:
        """Apply these servers, and remove all others.

        Args:
            servers: Servers of one version, or of two of which the first is in service.
            weight: Percent of the requests for the second version, where the target supports weights.

        Raises:
            ConfigError: When they cannot be served.
            TakenOverError: When somebody else changed what was applied last.
            GoneError: When it was deleted.
        """

    @abstractmethod
    def wait(self, watched: Sequence[str]) -> Observation:
        """Wait until the running servers match what was applied.

        Args:
            watched: Keys of the versions that must start.

        Raises:
            RolloutError: When one of them cannot start, or takes too long.
            TakenOverError: When somebody else changes what is served.
            GoneError: When somebody deletes it.
        """

    @abstractmethod
    def watch(self, key: str, seconds: float) -> Observation:
        """Watch for some seconds, and stop when servers of this version fail, or all servers are gone. Errors as in `wait`."""

    @abstractmethod
    def client(self, server: Server) -> ServerClient:
        """Return a client of one server, independent of the routing."""

    @abstractmethod
    def route(self, key: str) -> None:
        """Route user requests to this version only; empty: to all versions that are applied."""

    @abstractmethod
    def connected(self) -> str:
        """Return the key of the version under test that the servers of the stable version reach; empty: none."""

    @abstractmethod
    def connect(self, key: str) -> None:
        """Let the servers of the stable version reach those of a version under test; empty: none any more."""

    @abstractmethod
    def restore(self, stable: Servers | None) -> None:
        """Roll back to these servers only, and create them again where somebody deleted them; None: remove everything.

        Raises:
            RolloutError: When they do not start.
            TakenOverError: When somebody else changed what is served.
        """


class ComparisonTarget(ABC):
    """Serves a version during a comparison, and keeps nothing in service."""

    @abstractmethod
    def compare(self, registered: dict[str, Any], sample: Sample, champion: Deployment | None) -> Comparison:
        """Compare a registered version with the champion, side by side.

        Args:
            registered: The version, as in `registration.json`.
            sample: Rows and the version's offline answers.
            champion: The champion by the ledger; None when there is none.

        Raises:
            ServiceError: When the version cannot be served, or does not answer.
        """


Target = RolloutTarget | ComparisonTarget
FindPlacement = Callable[[], Placement]
"""Finds where servers run; called only by a target that places servers."""
OpenTarget = Callable[[Project, Settings, FindPlacement], Target]
"""Opens a target for one project; registered in `table.py`."""
