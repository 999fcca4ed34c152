"""Stage durations on a cluster: the time from one stage's end to the next one's, beside the stage's own seconds.

Each stage costs a driver pod and a pod of its own that are scheduled, started and polled for, and its inputs and outputs
go through the object store. The KFP server knows when a task was created and when it ended; the stage itself reports what it spent
when it ends (`components/_core/stage/termination_message.py`), and Kubernetes keeps that in the pod's status. Nothing here
connects to a server: the callers pass the responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components._core.stage.stage_end import StageEnd, error_of, find_end, parse_end
from components.stages import STAGES
from pipelines.placement import STAGE_LABEL

StageReport = dict[str, Any]
"""Report of a stage at its end: verdict, reason, import_seconds, work_seconds, metric_*."""

_DRIVER = "-driver"
_EPOCH = 1970
NOT_BEGUN = ("", "PENDING", "RUNTIME_STATE_UNSPECIFIED")
_EXECUTOR = re.compile(r"executor(\(\d+\))?")


@dataclass(frozen=True)
class StageTime:
    """One stage of a run on a cluster.

    Attributes:
        stage: Its name.
        state: KFP's state in lower case: `succeeded`, `failed`, `running`, `skipped`, ...; `cached` when it was not run,
            `not begun` when the run ended before it.
        total: Seconds from the end of what came before it to its end; None while it is not over.
        imports: Seconds that it spent on imports; None when not reported.
        work: Seconds that it worked; None when not reported.
        verdict: Its reported verdict; empty when not reported.
        reason: Reason for the verdict, or the error that it failed with.
    """

    stage: str
    state: str
    total: float | None = None
    imports: float | None = None
    work: float | None = None
    verdict: str = ""
    reason: str = ""

    @property
    def own(self) -> float | None:
        """Seconds that the stage itself took; 0 when it was taken from the cache."""
        if self.work is None:
            return 0.0 if self.state == "cached" else None
        return (self.imports or 0.0) + self.work

    @property
    def waiting(self) -> float | None:
        """Seconds that the cluster took: pods, polls, artifacts on their way."""
        return None if self.total is None or self.own is None else max(self.total - self.own, 0.0)


def stage_times(
    tasks: Iterable[Mapping[str, Any]], reports: Mapping[str, StageReport] | None = None, run_state: str = ""
) -> list[StageTime]:
    """List the stages of a run that KFP reports, in order.

    Args:
        tasks: `run_details.task_details` of the run, as REST's JSON or the client's `to_dict()` has them: display_name, state,
            start_time, end_time. They include all nodes of Argo; nodes of no stage are ignored.
        reports: Reports of the stages, by name: from their pods (`reports_from_pods`) or logs (`report_from_log`). A stage that ended well
            without a report, while others have one, was taken from the cache. None: reports were not read.
        run_state: State of the run in KFP. 2.17 may keep the last stage of a run that has ended as running, for ever on a
            busy machine; the stage's own report, or a run that succeeded, says how it ended.
    """
    listed = list(tasks)
    nodes = {str(task.get("display_name") or ""): task for task in listed}
    before = _time(nodes.get(f"root{_DRIVER}", {}).get("end_time"))
    times = []
    for stage in STAGES:
        driver, task = nodes.get(stage + _DRIVER, {}), nodes.get(stage, {})
        if not any(has_begun(node) for node in (driver, task)):
            times += [StageTime(stage, "not begun")] if driver or task else []
        else:
            began = before or _time((driver or task).get("start_time"))
            before = _time(task.get("end_time"))
            total = (before - began).total_seconds() if began and before else None
            state = "SKIPPED" if is_cached(task, listed) else str(task.get("state") or _state_from_driver(driver))
            times.append(
                _stage_time(stage, _settle(state, (reports or {}).get(stage), run_state).lower(), total, reports)
            )
    return times


def has_begun(node: Mapping[str, Any]) -> bool:
    """Whether an Argo node has begun; an omitted one has no state, and equal start and end times."""
    return str(node.get("state") or "") not in NOT_BEGUN


def is_cached(task: Mapping[str, Any], nodes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a stage was taken from the cache: KFP 2.17 reports it as succeeded, and its executor as skipped.

    Args:
        task: The stage's node.
        nodes: All nodes of the run. The nodes below the stage are found by the names of their pods where the server reports
            those of every node (2.17 reports those of children only), else by their times, as no two stages overlap.
    """
    if task.get("state") == "SKIPPED":
        return True
    listed = list(nodes)
    executors = [node for node in listed if _EXECUTOR.fullmatch(str(node.get("display_name") or ""))]
    below = [node for node in _below(task, listed) if node in executors]
    below = below or [node for node in executors if _is_within(node, task)]
    return task.get("state") == "SUCCEEDED" and bool(below) and not any(_has_run(node) for node in below)


def _below(task: Mapping[str, Any], nodes: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    names = [str(child.get("pod_name") or "") for child in task.get("child_tasks") or []]
    for node in nodes:
        if node is not task and str(node.get("pod_name") or "") in names and node.get("pod_name"):
            yield node
            yield from _below(node, [other for other in nodes if other is not task])


def _is_within(node: Mapping[str, Any], task: Mapping[str, Any]) -> bool:
    """Whether a node began while the stage ran."""
    began, first, last = _time(node.get("start_time")), _time(task.get("start_time")), _time(task.get("end_time"))
    return bool(began and first and last and first <= began <= last)


def _has_run(node: Mapping[str, Any]) -> bool:
    return has_begun(node) and node.get("state") != "SKIPPED"


def _state_from_driver(driver: Mapping[str, Any]) -> str:
    """Return the state of a stage that only has a driver: running, unless the driver failed."""
    return "FAILED" if driver.get("state") == "FAILED" else "RUNNING"


def reports_from_pods(pods: Iterable[Mapping[str, Any]]) -> dict[str, StageReport]:
    """Read each stage's report from its last pod; empty for one that has not ended, or was killed.

    Args:
        pods: The run's pods as Kubernetes' JSON (label `pipeline/runid`); those without Naru's label are ignored.
    """
    ours = [pod for pod in pods if STAGE_LABEL in pod["metadata"].get("labels", {})]
    in_order = sorted(ours, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""))
    return {pod["metadata"]["labels"][STAGE_LABEL]: _report_from_pod(pod) for pod in in_order}


def report_from_log(text: str) -> StageReport:
    """Read a stage's report from the log of its pod: its record, or its error as the reason; empty when the log has neither."""
    return _to_report(find_end(text))


def time_rows(times: Iterable[StageTime]) -> list[list[str]]:
    """Make the rows of a table: stage, state, seconds in all, its own, waiting; the last row is their sum."""
    listed = list(times)
    rows = [
        [one.stage, one.state, _format_seconds(one.total), _format_seconds(one.own), _format_seconds(one.waiting)]
        for one in listed
    ]
    sums = [
        [getattr(one, name) for one in listed if getattr(one, name) is not None] for name in ("total", "own", "waiting")
    ]
    return [
        ["stage", "state", "seconds", "own", "waiting"],
        *rows,
        ["all", "", *(_format_seconds(sum(each)) for each in sums)],
    ]


def time_lines(times: Iterable[StageTime]) -> list[str]:
    """Format the rows of `time_rows` as aligned lines."""
    rows = time_rows(times)
    return [f"{row[0]:<11}{row[1]:<11}{''.join(f'{cell:>9}' for cell in row[2:])}".rstrip() for row in rows]


def _settle(state: str, report: StageReport | None, run_state: str) -> str:
    """Return the state of a stage that KFP keeps as running although it has ended."""
    if state != "RUNNING":
        return state
    if report and "verdict" in report:
        return "SUCCEEDED"
    if report and report.get("reason"):
        return "FAILED"
    return run_state if run_state == "SUCCEEDED" else state


def _stage_time(stage: str, state: str, total: float | None, reports: Mapping[str, StageReport] | None) -> StageTime:
    said = (reports or {}).get(stage)
    if said is None:
        # nothing in the graph is conditional: KFP skips a stage only for the cache
        cached = state == "skipped" or bool(reports and state == "succeeded")
        return StageTime(stage, "cached" if cached else state, total)
    texts = {name: str(said.get(name) or "") for name in ("verdict", "reason")}
    return StageTime(stage, state, total, said.get("import_seconds"), said.get("work_seconds"), **texts)


def _report_from_pod(pod: Mapping[str, Any]) -> StageReport:
    containers = pod.get("status", {}).get("containerStatuses") or []
    ended = [one.get("state", {}).get("terminated") or {} for one in containers if one.get("name") == "main"]
    message = str(ended[0].get("message") or "") if ended else ""
    failed = bool(ended and ended[0].get("exitCode"))
    return _to_report(parse_end(message)) or {
        "reason": message or (str(ended[0].get("reason") or "") if failed else "")
    }


def _to_report(end: StageEnd) -> StageReport:
    error = error_of(end)
    return {"stage": end["stage"], "reason": str(error)} if error else end


def _time(value: object) -> datetime | None:
    """Parse a server's time; None for a missing one, or the year 1 or 1970, which mean not yet."""
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if not isinstance(value, datetime):
        return None
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware if aware.year > _EPOCH else None


def _format_seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"
