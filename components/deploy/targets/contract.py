"""What deploy needs from a deployment target, in words that belong to no target.

There are two kinds, and they differ in what they can do:

* A `RolloutTarget` (Seldon) keeps versions in service. It shows what is served (`see`), starts servers of one version or of two
  (`apply`), waits until they run (`wait`), gives a client of each server (`client`), sends requests to one version or to both
  (`route`), and takes a version back (`restore`). The rollout's state machine, its bake and its history (`components/deploy/rollout`)
  know nothing but these methods.
* A `ComparisonTarget` (the laptop) keeps nothing in service: the servers live for the time of one comparison. So there is nothing to
  see before it, no request of a user to route, and nothing to take back. What it can do and a cluster must not is to put load on both
  versions: nobody waits for their answers.

A target is a package beside this module and one line in `table.py`. It imports this contract, never another target.
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
from components.deploy.comparison import Comparison
from components.deploy.model_client import Asks
from components.deploy.server_metrics import Counts
from components.deploy.targets.placement import Placement


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model, as it is served.

    Attributes:
        version: The version that answers carry.
        uri: The model's folder, as the servers reach it: `s3://bucket/...`.
        sha256: Digest of the list of the model's files: its servers serve no other; empty for a version of an earlier Naru.
    """

    version: str
    uri: str
    sha256: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """The name of its servers: the same for the same version of the same model, another one for any other."""
        return f"m-{hashlib.sha256(f'{self.version} {self.uri}'.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Servers:
    """The servers of one version, as they are applied or were applied before.

    Attributes:
        key: Their name on the target: `ModelVersion.key`.
        model: The version that they serve.
        replicas: How many were applied; an autoscaler may have changed the number since.
        native: The target's own description; nobody else reads it.
    """

    key: str
    model: ModelVersion
    replicas: int
    native: Any = None


@dataclass(frozen=True)
class Server:
    """One server that is ready.

    Attributes:
        id: Tells this server from another one that takes its place under the same name.
        name: Its name, for people.
        cold_start_seconds: From its start until it was ready; None: unknown.
    """

    id: str
    name: str
    cold_start_seconds: float | None = None


@dataclass(frozen=True)
class Observation:
    """What is served at one moment.

    Attributes:
        exists: Whether anything is served for the project.
        keys: Keys of the versions that are applied; the first takes the requests where nothing else is said.
        servers: The servers that are ready, by key.
        replicas: How many servers are planned, by key; a key is missing where the target does not know.
        restarts: How often servers have been restarted, by key.
        native: The target's own observation; nobody else reads it.
    """

    exists: bool
    keys: tuple[str, ...] = ()
    servers: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    native: Any = None

    def ready(self, key: str) -> tuple[Server, ...]:
        """The servers of a version that are ready."""
        return self.servers.get(key, ())


@dataclass(frozen=True)
class Share:
    """One step of a canary.

    Attributes:
        asked: Percent of the requests that the project wants the canary to get.
        replicas: Number of its servers.
        percent: Percent that it gets, as far as the target can hold it.
    """

    asked: int
    replicas: int
    percent: float


@dataclass(frozen=True)
class Moment:
    """A point in time by two clocks.

    Attributes:
        at: For people: ISO 8601, UTC.
        seconds: By the clock of the rollout.
    """

    at: str
    seconds: float


@dataclass(frozen=True)
class Timing:
    """How often a target is looked at, and how long a rollout waits.

    Attributes:
        poll: Seconds between two looks.
        patience: Factor of how long something may be wrong with a server.
        silence: Seconds for which the target may be unreachable.
        now: The clock.
        sleep: Lets time pass.
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
    """A version did not do what it must; the rollout goes back."""


class TakenOverError(ServiceError):
    """Somebody else changed what is served; a rollout that meets this changes nothing any more."""


class GoneError(ServiceError):
    """What is served was deleted by somebody else, or no server of it is left to answer: requests fail.

    Args:
        message: What is gone.
        where: Where it was served.
        since: The last look at which it was there.
    """

    def __init__(self, message: str, *, where: str, since: Moment) -> None:
        super().__init__(f"{message}; who did it cannot be known from here", where=where)
        self.since = since


class ServerClient(Asks, Protocol):
    """A client of one server."""

    def count(self) -> Counts:
        """What the server has counted since it started.

        Raises:
            ServiceError: When it does not say.
        """
        ...


class RolloutTarget(ABC):
    """Keeps versions of one project's model in service.

    Attributes:
        timing: The clock by which the target and its rollout wait.
    """

    timing: Timing

    @abstractmethod
    def begin(self) -> None:
        """Forget what an earlier rollout applied: a new one begins, from whatever it finds."""

    @abstractmethod
    def see(self) -> Observation:
        """Look at what is served.

        Raises:
            ServiceError: When the target refuses, or stays unreachable for `timing.silence`.
        """

    @abstractmethod
    def adopt(self, seen: Observation) -> list[Servers]:
        """Take what is served for what is to be changed from now on; its servers, in the order of `Observation.keys`."""

    @abstractmethod
    def describe(self, model: ModelVersion, replicas: int | None = None) -> Servers:
        """The servers of a version, without starting any.

        Args:
            model: The version.
            replicas: A fixed number; None: as many as the project says, scaled as it says.
        """

    @abstractmethod
    def resize(self, servers: Servers, replicas: int) -> Servers:
        """The same servers in a fixed number."""

    @abstractmethod
    def check(
        self, servers: Servers, seen: Observation, missing_files: Sequence[str], features: Sequence[str] | None
    ) -> None:
        """Refuse what cannot be served, before anything is changed.

        Args:
            servers: The servers that are to take over.
            seen: What is served now.
            missing_files: URIs of files that the model should have and has not.
            features: Names of the model's inputs; None: unknown.

        Raises:
            ConfigError: With every violation.
        """

    @abstractmethod
    def hold_shares(self, asked: Sequence[int], stable: int) -> list[Share]:
        """The steps of a canary that can be held beside so many servers of the version in service."""

    @abstractmethod
    def apply(self, servers: Sequence[Servers], weight: int = 0) -> None:
        """Ask for these servers, and no others.

        Args:
            servers: Of one version, or of two of which the first is in service.
            weight: Percent of the requests for the second, where the target holds weights.

        Raises:
            ConfigError: When they cannot be served.
            TakenOverError: When what is there is not what was applied last.
            GoneError: When it was deleted.
        """

    @abstractmethod
    def wait(self, watched: Sequence[str]) -> Observation:
        """Wait until what runs is what was applied.

        Args:
            watched: Keys of the versions that must come up.

        Raises:
            RolloutError: When one of them cannot come up, or takes too long.
            TakenOverError: When somebody else changes what is served.
            GoneError: When somebody deletes it.
        """

    @abstractmethod
    def watch(self, key: str, seconds: float) -> Observation:
        """Let time pass, and stop when servers of this version go, or all of them. Errors as in `wait`."""

    @abstractmethod
    def client(self, server: Server) -> ServerClient:
        """A client of one server, whatever requests are routed to it."""

    @abstractmethod
    def route(self, key: str) -> None:
        """Send the requests of users to this version alone; empty: to all versions that are applied."""

    @abstractmethod
    def restore(self, stable: Servers | None) -> None:
        """Go back: leave these servers alone in place, started again where somebody deleted them; None: leave nothing.

        Raises:
            RolloutError: When they do not come up.
            TakenOverError: When somebody else changed what is served.
        """


class ComparisonTarget(ABC):
    """Serves a version for the time of a comparison, and keeps nothing in service."""

    @abstractmethod
    def compare(self, registered: dict[str, Any], sample: Sample, champion: Deployment | None) -> Comparison:
        """Compare a registered version with the champion, side by side.

        Args:
            registered: The version, as in `registration.json`.
            sample: Rows and the offline answers of the version.
            champion: The champion by the ledger; None when there is none.

        Raises:
            ServiceError: When the version cannot be served, or does not answer.
        """


Target = RolloutTarget | ComparisonTarget
FindPlacement = Callable[[], Placement]
"""Says where servers run; called only by a target that places any."""
OpenTarget = Callable[[Project, Settings, FindPlacement], Target]
"""Opens a target for one project; what its registration in `table.py` names."""
