"""Why a run failed: KFP's API names the stage and no reason, so the reason is read from the pod's log, where the stage left it.

The log comes through the KFP server, which reads it from the pod or from the archive; where it cannot, from Kubernetes, if
KUBECONFIG leads there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components._core.errors import NaruError, ServiceError
from components._core.stage.stage_end import error_of, find_end
from pipelines.kfp.run_watch import RUN_LABEL, Stage, stages_of
from pipelines.kfp.server_state import Server
from pipelines.placement import STAGE_LABEL

_LONGEST = 20
_TAIL = 5


@dataclass(frozen=True)
class Reason:
    """Why a run failed.

    Attributes:
        stage: The stage that failed; empty when none had begun.
        text: In the stage's own words, or what else is known.
        exit_code: The stage's own.
    """

    stage: str
    text: str
    exit_code: int = ServiceError.exit_code


def find_reason(server: Server, run: Mapping[str, Any]) -> Reason:
    """Why a run failed, from the first place that knows."""
    run_id = str(run["run_id"])
    failed = next((stage for stage in stages_of(run) if stage.state == "FAILED"), None)
    name = failed.name if failed else ""
    said: dict[str, None] = {}
    for log in (*_logs_of_kfp(server, run_id, failed), *_words_of_kubernetes(run_id, name)):
        if told := read_log(log, name):
            return told
        said["\n".join([line for line in log.splitlines() if line.strip()][-_TAIL:])] = None
    return Reason(name, "\n".join(filter(None, said)) or _nothing(run))


def read_log(log: str, stage: str) -> Reason | None:
    """The error that a stage reported, out of all that its pod printed; None when it reported none."""
    end = find_end(log, stage)
    error = error_of(end)
    if error is None:
        return None
    return Reason(end["stage"], "\n".join(str(error).splitlines()[:_LONGEST]), error.exit_code)


def _logs_of_kfp(server: Server, run_id: str, failed: Stage | None) -> Iterator[str]:
    for pod in reversed(failed.pods if failed else ()):
        log = server.kfp.read_text(f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log")
        yield "" if log.startswith('{"error_message"') else log  # it has said 200 before it looks for the log


def _words_of_kubernetes(run_id: str, stage: str) -> Iterator[str]:
    """Logs of the pods that failed, then what Kubernetes itself says of them."""
    from components._cluster.kubernetes_client import Cluster
    from pipelines.cluster.status import why_of

    selector = f"{RUN_LABEL}={run_id}" + (f",{STAGE_LABEL}={stage}" if stage else "")
    try:
        cluster = Cluster()
        pods = [pod for pod in cluster.list_all("v1", "Pod", selector) if pod["status"].get("phase") != "Succeeded"]
        for pod in pods:
            yield cluster.read_log(pod, "main")
        yield "\n".join(why_of(pod["status"]) for pod in pods)
    except NaruError:  # no cluster, or no permission: what KFP said is what there is
        return


def _nothing(run: Mapping[str, Any]) -> str:
    said = [str(state["error"].get("message")) for state in run.get("state_history") or [] if state.get("error")]
    return (
        said[-1]
        if said
        else "KFP gives no reason; look at the run's page, or set KUBECONFIG so that the pod's log can be read"
    )
