"""The objects of a cluster by path, and what the API server does with them: versions, server-side apply, labels, owners."""

import copy
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.kubernetes.clock import Clock

Object = dict[str, Any]

_TERM = re.compile(r"([\w./-]+)(=[\w.-]*)?")


@dataclass(frozen=True)
class Place:
    """A path of the REST API in its parts; what is not said is empty."""

    root: str
    plural: str
    namespace: str = ""
    name: str = ""
    below: str = ""

    @property
    def path(self) -> str:
        """Of the object itself."""
        space = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{self.root}{space}/{self.plural}/{self.name}".rstrip("/")


@lru_cache(maxsize=4_096)  # every look at the cluster parses the path of each object
def place_of(path: str) -> Place:
    parts = path.strip("/").split("/")
    length = 2 if parts[0] == "api" else 3
    root, rest = "/" + "/".join(parts[:length]), parts[length:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return Place(root, rest[0], namespace, *rest[1:2], below="/".join(rest[2:]))


def carries(labels: dict[str, str], selector: str) -> bool:
    """Whether labels fit `a=b` and `a`, with commas between: the selectors that Naru sends."""
    terms = selector.split(",") if selector else []
    return all(_fits(labels, term) for term in terms)


def _fits(labels: dict[str, str], term: str) -> bool:
    found = _TERM.fullmatch(term)
    assert found, f"no selector: {term!r}"
    key, value = found.groups()
    return key in labels if value is None else labels.get(key) == value[1:]


class Conflict(Exception):
    """What the API server answers with 409."""


class Objects(dict[str, Any]):
    """Objects by path; what lies at the path of a log is text."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._version = 0
        self._applied: dict[str, dict[str, Object]] = {}

    def all(self, plural: str, namespace: str = "", root: str = "", selector: str = "") -> Iterator[tuple[str, Object]]:
        """Objects of a kind, with their paths."""
        for path, held in list(self.items()):
            place = place_of(path)
            if place.plural != plural or place.below or not place.name:
                continue
            meant = namespace in ("", place.namespace) and root in ("", place.root)
            if meant and carries(held["metadata"].get("labels", {}), selector):
                yield path, held

    def write(self, path: str, wanted: Object, at: float | None = None) -> Object:
        """Put an object there as the API server does; nothing happens when it is there already."""
        before = self.get(path)
        if before is not None and _content(before) == _content(wanted):
            return dict(before)
        self._version += 1
        metadata = dict(wanted["metadata"])
        wanted = {**wanted, "metadata": metadata}
        earlier = before["metadata"] if before else {}
        metadata["resourceVersion"] = str(self._version)
        metadata["uid"] = earlier.get("uid") or str(uuid.uuid4())
        moment = self.clock.now() if at is None else at
        metadata["creationTimestamp"] = earlier.get("creationTimestamp") or self.clock.tell(moment)
        same = before is not None and _spec(before) == _spec(wanted)
        metadata["generation"] = earlier.get("generation", 0 if before is None else 1) + (not same)
        self[path] = wanted
        return wanted

    def merge(self, path: str, sent: Object, manager: str, *, force: bool = False) -> Object:
        """What server-side apply makes of an object; lists are atomic, as those of a CRD are.

        Raises:
            Conflict: When the object is not the one that is meant, or another one applied another value.
        """
        before = copy.deepcopy(self.get(path) or {})
        _refuse_another(before, sent)
        others = {name: one for name, one in self._applied.get(path, {}).items() if name != manager}
        for name, other in others.items():
            if not force and (fields := _quarrel(other, sent)):
                raise Conflict(_tell_conflict(name, sent["apiVersion"], fields))
        earlier = self._applied.get(path, {}).get(manager, {})
        came = merged(_without(before, earlier, sent, list(others.values())), sent)
        fields = [one for one in before.get("metadata", {}).get("managedFields", []) if one["manager"] != manager]
        came["metadata"]["managedFields"] = [*fields, {"manager": manager, "operation": "Apply"}]
        return came

    def apply(self, path: str, sent: Object, manager: str, *, force: bool = False) -> Object:
        """The same, and it is there then."""
        came = self.write(path, self.merge(path, sent, manager, force=force))
        self._applied.setdefault(path, {})[manager] = copy.deepcopy(sent)
        return came

    def remove(self, path: str) -> bool:
        """Remove an object and all that it owns; whether it was there."""
        gone = self.pop(path, None)
        self._applied.pop(path, None)
        if isinstance(gone, dict) and (uid := gone["metadata"].get("uid")):
            # a pod takes its time to end: that is the kubelet's
            for owned in [name for name, one in self.items() if "/pods/" not in name and _is_owned(one, uid)]:
                self.remove(owned)
        return gone is not None


def owned_by(owner: Object) -> list[Object]:
    """What an object that is owned by another says."""
    version, kind, metadata = owner["apiVersion"], owner["kind"], owner["metadata"]
    return [
        {"apiVersion": version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True}
    ]  # fmt: skip


def merged(one: Any, other: Any) -> Any:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return copy.deepcopy(other)
    return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}


def _is_owned(one: Any, uid: str) -> bool:
    if not isinstance(one, dict):
        return False
    return any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences", []))


def _content(one: Object) -> Object:
    own = ("resourceVersion", "uid", "creationTimestamp", "generation")
    return {**one, "metadata": {key: value for key, value in one["metadata"].items() if key not in own}}


def _spec(one: Object) -> Object:
    return {key: value for key, value in one.items() if key not in ("metadata", "status")}


def _refuse_another(before: Object, sent: Object) -> None:
    for field in ("resourceVersion", "uid"):
        given = sent["metadata"].get(field)
        if given and given != before.get("metadata", {}).get(field):
            raise Conflict("the object has been modified; please apply your changes to the latest version")


def _tell_conflict(manager: str, version: str, fields: list[str]) -> str:
    if len(fields) == 1:
        return f'Apply failed with 1 conflict: conflict with "{manager}" using {version}: .{fields[0]}'
    message = "".join(f"\n- .{field}" for field in fields)
    return f'Apply failed with {len(fields)} conflicts: conflicts with "{manager}" using {version}:{message}'


def _quarrel(other: Any, sent: Any, place: str = "") -> list[str]:
    if isinstance(other, dict) and isinstance(sent, dict):
        shared = sorted(other.keys() & sent.keys())
        return [found for key in shared for found in _quarrel(other[key], sent[key], f"{place}.{key}".strip("."))]
    return [] if other == sent else [place]


def _without(held: Object, earlier: Object, sent: Object, others: list[Object]) -> Object:
    """The object without the fields that were said by the same manager before and are no longer."""
    left = dict(held)
    for key in earlier.keys() & held.keys():
        theirs = [other[key] for other in others if isinstance(other, dict) and key in other]
        both = isinstance(earlier[key], dict) and isinstance(held[key], dict)
        if both and isinstance(sent.get(key, {}), dict):
            left[key] = _without(held[key], earlier[key], sent.get(key, {}), theirs)
            if not left[key] and key not in sent:
                del left[key]
        elif key not in sent and not theirs:
            del left[key]
    return left
