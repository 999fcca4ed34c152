"""Find why a run failed: KFP's API names only the stage, so the reason is read from the pod's log, where the stage reported it.

The log comes through the KFP server, which reads it from the pod or from the archive; if it cannot, from Kubernetes, if
KUBECONFIG leads there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components._core.errors import NaruError, ServiceError
from components._core.stage.stage_end import error_of, find_end
from components._kfp.server_state import Server
from pipelines.kfp.run_watch import RUN_LABEL, StageStatus, stages_of
from pipelines.placement import STAGE_LABEL

_LONGEST = 20
_TAIL = 5


@dataclass(frozen=True)
class FailureReason:
    """The reason why a run failed.

    Attributes:
        stage: The stage that failed; empty when none had begun.
        text: The stage's error, or what else is known.
        exit_code: Exit code of the stage.
    """

    stage: str
    text: str
    exit_code: int = ServiceError.exit_code


def find_reason(server: Server, run: Mapping[str, Any]) -> FailureReason:
    """Find why a run failed, from the first source that has a reason."""
    run_id = str(run["run_id"])
    failed = next((stage for stage in stages_of(run) if stage.state == "FAILED"), None)
    name = failed.name if failed else ""
    tails: dict[str, None] = {}
    for log in (*_logs_from_kfp(server, run_id, failed), *_logs_from_kubernetes(run_id, name)):
        if reason := read_log(log, name):
            return reason
        tails["\n".join([line for line in log.splitlines() if line.strip()][-_TAIL:])] = None
    return FailureReason(name, "\n".join(filter(None, tails)) or _reason_from_history(run))


def read_log(log: str, stage: str) -> FailureReason | None:
    """Read the error that a stage reported from its pod's log; None when it reported none."""
    end = find_end(log, stage)
    error = error_of(end)
    if error is None:
        return None
    return FailureReason(end["stage"], "\n".join(str(error).splitlines()[:_LONGEST]), error.exit_code)


def _logs_from_kfp(server: Server, run_id: str, failed: StageStatus | None) -> Iterator[str]:
    for pod in reversed(failed.pods if failed else ()):
        log = server.kfp.read_text(f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log")
        yield "" if log.startswith('{"error_message"') else log  # its status is 200 before it looks for the log


def _logs_from_kubernetes(run_id: str, stage: str) -> Iterator[str]:
    """Yield the logs of the failed pods, then what Kubernetes reports of them."""
    from components._cluster.kubernetes_client import Cluster
    from pipelines.cluster.status import find_pod_reason

    selector = f"{RUN_LABEL}={run_id}" + (f",{STAGE_LABEL}={stage}" if stage else "")
    try:
        cluster = Cluster()
        pods = [pod for pod in cluster.list_all("v1", "Pod", selector) if pod["status"].get("phase") != "Succeeded"]
        for pod in pods:
            yield cluster.read_log(pod, "main")
        yield "\n".join(find_pod_reason(pod["status"]) for pod in pods)
    except NaruError:  # no cluster, or no permission: only KFP's report is left
        return


def _reason_from_history(run: Mapping[str, Any]) -> str:
    tails = [str(state["error"].get("message")) for state in run.get("state_history") or [] if state.get("error")]
    return (
        tails[-1]
        if tails
        else "KFP gives no reason; look at the run's page, or set KUBECONFIG so that the pod's log can be read"
    )
