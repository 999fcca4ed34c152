"""The pipeline of live tests: one stage, run as often as `monitor.schedule` says."""

from kfp import dsl

from components.deploy.settle.component import settle
from pipelines.graphs.pipelines import SETTLING


@dsl.pipeline(name=SETTLING.name)
def livetest(project: str) -> None:
    """Look at the live test of a version beside the champion, judge it once, and serve what came of it.

    1. settle: judge the test when it is complete or its deadline is reached, bring the version that was promoted or the champion into service alone.

    Args:
        project: The project file as JSON.
    """
    settle(project=project)
