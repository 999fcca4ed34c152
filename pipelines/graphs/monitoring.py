"""The monitoring pipeline: one stage, run every hour."""

from kfp import dsl

from components.monitor.component import monitor
from pipelines.graphs.pipelines import MONITORING


@dsl.pipeline(name=MONITORING.name)
def monitoring(project: str, window: str = "", since: str = "") -> None:
    """Compare the requests that a project's versions answered with the rows that they were trained on.

    1. monitor: count the closed hours of the request log, judge the last window, write the result that triggers read.

    Args:
        project: The project file as JSON.
        window: Time whose requests are judged together, as in `24h` or `7d`; empty: the project's.
        since: Begin of the window instead of its length, as in `2026-01-31`; may be empty.
    """
    monitor(project=project, window=window, since=since)
