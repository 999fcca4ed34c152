"""How a pod fares from its beginning on: what a kubelet tells of it at each age, with the words of a real one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

State = dict[str, Any]

RCLONE_AWAY = (
    "2026/11/27 09:00:00 ERROR : Attempt 3/3 failed with 1 errors and: RequestError: send request failed\n"
    'caused by: Get "http://naru-object-store.naru:7070/naru?list-type=2": dial tcp: lookup naru-object-store.naru: no such host\n'
    "2026/11/27 09:00:00 Failed to copy: RequestError: send request failed\n"
)
RCLONE_NO_SECTION = (
    '2026/11/27 09:00:00 Failed to create file system for "s3://naru/m": didn\'t find section in config file\n'
)
NO_NODE = (
    "0/1 nodes are available: 1 Insufficient memory. "
    "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
)
OVER_QUOTA = (
    'pods "{pod}" is forbidden: exceeded quota: models, requested: requests.memory=1Gi, '
    "used: requests.memory=1Gi, limited: requests.memory=1Gi"
)
_DONE: State = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "restartCount": 0, "ready": True}
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0


@dataclass(frozen=True)
class Named:
    """Of which pod it is."""

    pod: str
    namespace: str
    container: str
    image: str


@dataclass(frozen=True)
class Event:
    """Reported facts about a pod other than its status."""

    age: float
    reason: str
    message: str
    type: str = "Warning"
    source: str = "kubelet"
    count: int = 1


@dataclass(frozen=True)
class Sight:
    """A pod at a moment.

    Attributes:
        main: The server's container.
        init: The one that fetches the model.
        unplaced: Why it is on no node.
        events: All until now.
    """

    main: State
    init: State = field(default_factory=lambda: dict(_DONE))
    unplaced: str = ""
    events: tuple[Event, ...] = ()

    @property
    def ready(self) -> bool:
        return bool(self.main.get("ready"))

    @property
    def running(self) -> bool:
        return "running" in self.main.get("state", {})


class Start(ABC):
    """One way to fare; the base has the parts."""

    refusal = ""
    """Why no pod is made at all."""

    @abstractmethod
    def look(self, age: float, named: Named) -> Sight:
        """What is seen of it at that age."""

    def changes(self) -> tuple[float, ...]:
        """Ages at which it becomes ready, or is so no more."""
        return ()

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        """What a container printed; None: there is no such container yet."""
        return None if previous else ""


@dataclass(frozen=True)
class Ready(Start):
    """As it should be."""

    after: float = 1.0
    printed: str = "ready: http://0.0.0.0:8080/v2/models/flights\n"

    def look(self, age: float, named: Named) -> Sight:
        events = (Event(0, "Scheduled", f"Successfully assigned {named.namespace}/{named.pod} to node", "Normal"),)
        return Sight(_running(ready=age >= self.after), events=events)

    def changes(self) -> tuple[float, ...]:
        return (self.after,)

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return None if previous else "" if init or age < self.after else self.printed


@dataclass(frozen=True)
class NeverReady(Start):
    """It runs, and does not say that it is ready."""

    why: str = "Startup probe failed: HTTP probe failed with statuscode: 400"

    def look(self, age: float, named: Named) -> Sight:
        count = 1 + int(age // 5)
        return Sight(_running(ready=False), events=(Event(0, "Unhealthy", self.why, count=count),))


@dataclass(frozen=True)
class CrashLoops(Start):
    """It ends by itself, again and again."""

    printed: str = "naru: serve: the model does not load: cannot read signature.json\n"
    code: int = 6
    runs: float = 0.5

    def look(self, age: float, named: Named) -> Sight:
        restarts, state = _loop(age, self.runs, self.code, named.container, named)
        events = (Event(self.runs, "BackOff", _back_off(named.container, named), count=restarts + 1),)
        return Sight({**state, "ready": False}, events=events if age >= self.runs else ())

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        if init:
            return None if previous else ""
        return self.printed if not previous or age >= self.runs else None


@dataclass(frozen=True)
class InitFails(Start):
    """The model cannot be fetched."""

    printed: str = RCLONE_AWAY
    runs: float = 0.5

    def look(self, age: float, named: Named) -> Sight:
        name = f"{named.container}-model-initializer"
        _, state = _loop(age, self.runs, 1, name, named)
        events = (Event(self.runs, "BackOff", _back_off(name, named)),) if age >= self.runs else ()
        return Sight(_waiting("PodInitializing"), {**state, "ready": False}, events=events)

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return None if not init or (previous and age < self.runs) else self.printed


@dataclass(frozen=True)
class NoSecret(Start):
    """The Secret that opens the store is not there."""

    name: str = "naru-models"

    def look(self, age: float, named: Named) -> Sight:
        message = f'secret "{self.name}" not found'
        init = _waiting("CreateContainerConfigError", message)
        return Sight(_waiting("PodInitializing"), init, events=(Event(0, "Failed", f"Error: {message}"),))

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return None


@dataclass(frozen=True)
class NoImage(Start):
    """The image cannot be had."""

    def look(self, age: float, named: Named) -> Sight:
        message = f'Failed to pull image "{named.image}": not found'
        main = _waiting("ImagePullBackOff", f'Back-off pulling image "{named.image}": ErrImagePull: not found')
        return Sight(main, events=(Event(0, "Failed", message), Event(0, "Failed", "Error: ErrImagePull")))

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return None if not init or previous else ""


@dataclass(frozen=True)
class NoNode(Start):
    """It fits on no node."""

    why: str = NO_NODE

    def look(self, age: float, named: Named) -> Sight:
        return Sight({}, {}, self.why, (Event(0, "FailedScheduling", self.why, source="default-scheduler"),))

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return None


@dataclass(frozen=True)
class NoQuota(Start):
    """The namespace has no room: there is no pod that could tell why."""

    refusal: str = OVER_QUOTA

    def look(self, age: float, named: Named) -> Sight:
        return Sight({}, {})


@dataclass(frozen=True)
class Restarts(Start):
    """It is ready after a while, ends by itself once, and comes back."""

    after: float = 1.0
    at: float = 5.0
    printed: str = "naru: serve: killed\n"
    reason: str = "OOMKilled"
    code: int = 137

    def look(self, age: float, named: Named) -> Sight:
        if age < self.at:
            return Sight(_running(ready=age >= self.after))
        last = {"terminated": {"exitCode": self.code, "reason": self.reason}}
        return Sight({**_running(ready=age >= self.at + self.after), "restartCount": 1, "lastState": last})

    def changes(self) -> tuple[float, ...]:
        return (self.after, self.at, self.at + self.after)

    def log(self, age: float, *, init: bool, previous: bool) -> str | None:
        return (self.printed if age >= self.at and not init else None) if previous else ""


def _running(*, ready: bool) -> State:
    return {"state": {"running": {}}, "restartCount": 0, "ready": ready}


def _waiting(reason: str, message: str = "") -> State:
    record = {"reason": reason, **({"message": message} if message else {})}
    return {"state": {"waiting": record}, "restartCount": 0, "ready": False}


def _back_off(container: str, named: Named) -> str:
    return f"Back-off restarting failed container {container} in pod {named.pod}_{named.namespace}"


def _loop(age: float, runs: float, code: int, container: str, named: Named) -> tuple[int, State]:
    """Restarts so far and the container's state; it waits twice as long each time."""
    restarts, pause, left = 0, _FIRST_PAUSE, age
    while left >= runs + pause:
        left -= runs + pause
        restarts, pause = restarts + 1, min(pause * 2, _LONGEST_PAUSE)
    last = {"terminated": {"exitCode": code, "reason": "Error"}}
    if left < runs:
        return restarts, {
            **_running(ready=False),
            "restartCount": restarts,
            **({"lastState": last} if restarts else {}),
        }
    message = f"back-off {pause:.0f}s restarting failed container={container} pod={named.pod}_{named.namespace}"
    return restarts, {**_waiting("CrashLoopBackOff", message), "restartCount": restarts, "lastState": last}
