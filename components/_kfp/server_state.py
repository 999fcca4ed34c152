"""Objects on a KFP server: list, create, switch and remove them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components._kfp.kfp_client import ConflictError, JsonObject, KfpClient
from components._kfp.ownership import OwnershipLabel, read_label

SERVICE_ACCOUNT = "naru-runner"
"""Account that the pods of every run act as (manifests/base/rbac)."""
IN_FLIGHT = ("PENDING", "RUNNING", "CANCELING", "PAUSED")
FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


@dataclass(frozen=True)
class LiveSchedule:
    """A recurring run that Naru made.

    Attributes:
        label: Its ownership label.
        raw: The server's JSON.
    """

    label: OwnershipLabel
    raw: JsonObject

    @property
    def id(self) -> str:
        """The server's id of it."""
        return str(self.raw["recurring_run_id"])

    @property
    def age(self) -> tuple[str, str]:
        """Sort key by age, oldest first."""
        return age_of(self.raw)

    @property
    def enabled(self) -> bool:
        """Whether it fires."""
        return bool(self.raw.get("status") == "ENABLED")

    @property
    def version_id(self) -> str:
        """The version that it runs."""
        return str(self.raw.get("pipeline_version_reference", {}).get("pipeline_version_id", ""))


def name_of(thing: JsonObject) -> str:
    """Return the name; servers before 2.14 only have the display name."""
    return str(thing.get("name") or thing.get("display_name") or "")


def age_of(thing: JsonObject) -> tuple[str, str]:
    """Make a sort key by age, oldest first: by the time of creation, and by the id within the same second."""
    ids = ("recurring_run_id", "pipeline_version_id", "pipeline_id")
    return str(thing.get("created_at", "")), next((str(thing[name]) for name in ids if name in thing), "")


def final_state(run: Mapping[str, Any]) -> str:
    """Return how a run ended. KFP 2.17 reports a cancelled one as FAILED; only its history has CANCELING."""
    history = [str(one.get("state", "")) for one in run.get("state_history") or []]
    while history and history[-1] in FINAL:
        history.pop()
    return "CANCELED" if run["state"] == "FAILED" and history[-1:] == ["CANCELING"] else str(run["state"])


class Server:
    """A KFP server, limited to one namespace."""

    def __init__(self, kfp: KfpClient) -> None:
        self.kfp = kfp
        self._namespace = kfp.connection.namespace

    @property
    def address(self) -> str:
        """The server's address."""
        return self.kfp.connection.endpoint

    def pipelines(self) -> list[JsonObject]:
        """List all pipelines, of any owner."""
        return list(self.kfp.list_all("/pipelines", "pipelines", namespace=self._namespace))

    def versions(self, pipeline_id: str) -> list[JsonObject]:
        """List all versions of a pipeline, of any owner."""
        return list(self.kfp.list_all(f"/pipelines/{pipeline_id}/versions", "pipeline_versions"))

    def schedules(self) -> list[JsonObject]:
        """List all recurring runs, of any owner; the newest first."""
        query = {"namespace": self._namespace, "sort_by": "created_at desc"}
        return list(self.kfp.list_all("/recurringruns", "recurringRuns", **query))

    def our_schedules(self, owner: str) -> list[LiveSchedule]:
        """List the schedules of an owner's projects; the newest first."""
        marked = [(read_label(raw), raw) for raw in self.schedules()]
        return [LiveSchedule(label, raw) for label, raw in marked if label and label.owner == owner and label.schedule]

    def runs_in_flight(self) -> Iterator[JsonObject]:
        """List all runs that have not ended."""
        states = {"operation": "IN", "key": "state", "string_values": {"values": list(IN_FLIGHT)}}
        return self.kfp.list_all("/runs", "runs", states, namespace=self._namespace)

    def runs_of(self, pipelines: Collection[str]) -> Iterator[JsonObject]:
        """List all runs of pipelines, given by their ids; the API filters by none of a run's pipeline."""
        for run in self.kfp.list_all("/runs", "runs", namespace=self._namespace):
            if str(run.get("pipeline_version_reference", {}).get("pipeline_id", "")) in pipelines:
                yield run

    def find_runs(self, name: str) -> list[JsonObject]:
        """Find the runs with a display name, oldest first: the server has no unique names."""
        named = {"operation": "EQUALS", "key": "display_name", "string_value": name}
        query = {"namespace": self._namespace, "sort_by": "created_at asc"}
        return list(self.kfp.list_all("/runs", "runs", named, **query))

    def find_version(self, pipeline: str, version: str) -> tuple[str, str]:
        """Find the ids of a pipeline and of its version by their names; empty where there is none."""
        named = min((one for one in self.pipelines() if name_of(one) == pipeline), key=age_of, default=None)
        if named is None:
            return "", ""
        pipeline_id = str(named["pipeline_id"])
        versions = [one for one in self.versions(pipeline_id) if name_of(one) == version]
        return pipeline_id, str(min(versions, key=age_of)["pipeline_version_id"]) if versions else ""

    def start_run(
        self, name: str, description: str, experiment: str, ids: tuple[str, str], parameters: Mapping[str, Any]
    ) -> str:
        """Start a run of a pipeline's version; returns its id.

        Args:
            name: Its display name.
            description: Its description.
            experiment: Name of its experiment; made if it does not exist.
            ids: The ids of the pipeline and of its version.
            parameters: Its parameters.
        """
        body = {
            "display_name": name,
            "description": description,
            "experiment_id": self.experiment(experiment),
            "pipeline_version_reference": {"pipeline_id": ids[0], "pipeline_version_id": ids[1]},
            "runtime_config": {"parameters": dict(parameters)},
            "service_account": SERVICE_ACCOUNT,
        }
        return str(self.kfp.post("/runs", body)["run_id"])

    def create_pipeline(self, name: str, description: str) -> str:
        """Create a pipeline without versions; returns its id."""
        body = {"name": name, "display_name": name, "description": description, "namespace": self._namespace}
        return str(self.kfp.post("/pipelines", body)["pipeline_id"])

    def upload_version(self, pipeline_id: str, name: str, spec: str, description: str) -> str:
        """Upload a version of a pipeline; returns its id."""
        query = {"pipelineid": pipeline_id, "name": name, "display_name": name, "description": description}
        return str(self.kfp.upload("/pipelines/upload_version", f"{name}.yaml", spec, **query)["pipeline_version_id"])

    def experiment(self, name: str) -> str:
        """Return the id of the experiment of a project's runs; created if it does not exist."""
        if found := self._find_experiment(name):
            return found
        body = {"display_name": name, "namespace": self._namespace, "description": f"Runs of the project {name}."}
        try:
            return str(self.kfp.post("/experiments", body)["experiment_id"])
        except ConflictError:  # created by another client in the meantime
            if found := self._find_experiment(name):
                return found
            raise

    def _find_experiment(self, name: str) -> str:
        named = {"operation": "EQUALS", "key": "display_name", "string_value": name}
        found = self.kfp.list_all("/experiments", "experiments", named, namespace=self._namespace)
        return next((str(one["experiment_id"]) for one in found), "")

    def create_schedule(self, body: dict[str, Any]) -> None:
        """Create a recurring run."""
        self.kfp.post("/recurringruns", body)

    def disable(self, schedule: LiveSchedule) -> None:
        """Switch a recurring run off; its runs continue."""
        self.kfp.post(f"/recurringruns/{schedule.id}:disable")

    def enable(self, schedule: LiveSchedule) -> None:
        """Switch a recurring run on; it fires at once if it has missed a time."""
        self.kfp.post(f"/recurringruns/{schedule.id}:enable")

    def delete_run(self, run_id: str) -> None:
        """Remove an ended run; its artifacts stay in the bucket."""
        self.kfp.delete(f"/runs/{run_id}")

    def delete_version(self, pipeline_id: str, version_id: str) -> None:
        """Remove a version; its runs stay."""
        self.kfp.delete(f"/pipelines/{pipeline_id}/versions/{version_id}")

    def delete_schedule(self, schedule: LiveSchedule) -> None:
        """Remove a recurring run. KFP before 2.16 ends its runs with it; later ones leave them with the policy ORPHAN."""
        self.kfp.delete(f"/recurringruns/{schedule.id}", propagation_policy="ORPHAN")
