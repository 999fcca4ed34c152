"""The KFP component of monitor."""

from kfp import dsl

from components.stages import MONITOR


@dsl.component(base_image=MONITOR.base_image, install_kfp_package=False)
def monitor(
    project: str,
    window: str,
    since: str,
    monitoring: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Count the closed hours of the request log, and judge the last window of each version that answered.

    Args:
        project: The project as JSON.
        window: Time whose requests are judged together, as in `7d`; empty: the project's.
        since: Begin of the window instead of its length, ISO 8601; may be empty.
        monitoring: `monitoring.json`, the outcome, and the page as data.
        page: What moved, since when, which values and which requests.
    """
    from components._core.stage.lifecycle import stage
    from components.stages import MONITOR

    with stage(MONITOR, monitoring) as this:
        from components.monitor.monitor import monitor_requests

        this.imported()
        result = monitor_requests(
            this.project(project),
            window=window,
            since=since,
            monitoring=this.folder(monitoring),
            page=this.file(page),
        )
        this.done(result.outcome)
