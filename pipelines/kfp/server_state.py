"""What a KFP server holds of ours, by its own words; and the small things that are asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.kfp.kfp_client import Answer, ConflictError, Kfp
from pipelines.kfp.ownership import Mark, read_mark

IN_FLIGHT = ("PENDING", "RUNNING", "CANCELING", "PAUSED")
FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


@dataclass(frozen=True)
class LiveSchedule:
    """A recurring run of ours.

    Attributes:
        mark: Whose it is.
        raw: As the server tells it.
    """

    mark: Mark
    raw: Answer

    @property
    def id(self) -> str:
        """The server's name for it."""
        return str(self.raw["recurring_run_id"])

    @property
    def age(self) -> tuple[str, str]:
        """The lesser, the older; the same to whoever compares two."""
        return age_of(self.raw)

    @property
    def enabled(self) -> bool:
        """Whether it fires."""
        return bool(self.raw.get("status") == "ENABLED")

    @property
    def version_id(self) -> str:
        """The version that it runs."""
        return str(self.raw.get("pipeline_version_reference", {}).get("pipeline_version_id", ""))


def age_of(thing: Answer) -> tuple[str, str]:
    """The lesser, the older: by when the server made it, and by its id where that is the same second."""
    ids = ("recurring_run_id", "pipeline_version_id", "pipeline_id")
    return str(thing.get("created_at", "")), next((str(thing[name]) for name in ids if name in thing), "")


class Server:
    """A KFP server, seen from one namespace of it."""

    def __init__(self, kfp: Kfp) -> None:
        self.kfp = kfp
        self._namespace = kfp.connection.namespace

    @property
    def address(self) -> str:
        """Where it is."""
        return self.kfp.connection.endpoint

    def pipelines(self) -> list[Answer]:
        """All pipelines, ours or not."""
        return list(self.kfp.list_all("/pipelines", "pipelines", namespace=self._namespace))

    def versions(self, pipeline_id: str) -> list[Answer]:
        """All versions of a pipeline, ours or not."""
        return list(self.kfp.list_all(f"/pipelines/{pipeline_id}/versions", "pipeline_versions"))

    def schedules(self) -> list[Answer]:
        """All recurring runs, ours or not; the newest first."""
        query = {"namespace": self._namespace, "sort_by": "created_at desc"}
        return list(self.kfp.list_all("/recurringruns", "recurringRuns", **query))

    def our_schedules(self, owner: str) -> list[LiveSchedule]:
        """Those of an owner's projects; the newest first."""
        marked = [(read_mark(raw), raw) for raw in self.schedules()]
        return [LiveSchedule(mark, raw) for mark, raw in marked if mark and mark.owner == owner and mark.schedule]

    def runs_in_flight(self) -> Iterator[Answer]:
        """All runs that are not at their end."""
        states = {"operation": "IN", "key": "state", "string_values": {"values": list(IN_FLIGHT)}}
        return self.kfp.list_all("/runs", "runs", states, namespace=self._namespace)

    def create_pipeline(self, name: str, description: str) -> str:
        """Make a pipeline without versions; returns its id."""
        body = {"name": name, "display_name": name, "description": description, "namespace": self._namespace}
        return str(self.kfp.post("/pipelines", body)["pipeline_id"])

    def upload_version(self, pipeline_id: str, name: str, spec: str, description: str) -> str:
        """Give a pipeline a version; returns its id."""
        query = {"pipelineid": pipeline_id, "name": name, "display_name": name, "description": description}
        return str(self.kfp.upload("/pipelines/upload_version", f"{name}.yaml", spec, **query)["pipeline_version_id"])

    def experiment(self, name: str) -> str:
        """The id of the experiment that holds a project's runs; made when it is not there."""
        if found := self._find_experiment(name):
            return found
        body = {"display_name": name, "namespace": self._namespace, "description": f"Runs of the project {name}."}
        try:
            return str(self.kfp.post("/experiments", body)["experiment_id"])
        except ConflictError:  # another one made it since we looked
            if found := self._find_experiment(name):
                return found
            raise

    def _find_experiment(self, name: str) -> str:
        named = {"operation": "EQUALS", "key": "display_name", "string_value": name}
        found = self.kfp.list_all("/experiments", "experiments", named, namespace=self._namespace)
        return next((str(one["experiment_id"]) for one in found), "")

    def create_schedule(self, body: dict[str, Any]) -> None:
        """Make a recurring run."""
        self.kfp.post("/recurringruns", body)

    def disable(self, schedule: LiveSchedule) -> None:
        """Let a recurring run fire no more; its runs go on."""
        self.kfp.post(f"/recurringruns/{schedule.id}:disable")

    def enable(self, schedule: LiveSchedule) -> None:
        """Let it fire again; at once, when it has missed a time."""
        self.kfp.post(f"/recurringruns/{schedule.id}:enable")

    def delete_version(self, pipeline_id: str, version_id: str) -> None:
        """Remove a version; its runs stay."""
        self.kfp.delete(f"/pipelines/{pipeline_id}/versions/{version_id}")

    def delete_schedule(self, schedule: LiveSchedule) -> None:
        """Remove a recurring run. KFP before 2.16 ends its runs with it; later ones leave them when told ORPHAN."""
        self.kfp.delete(f"/recurringruns/{schedule.id}", propagation_policy="ORPHAN")
