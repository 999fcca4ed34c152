"""The feedback pipeline: one stage, run every day."""

from kfp import dsl

from components.feedback.component import feedback
from pipelines.graphs.pipelines import JOINING


@dsl.pipeline(name=JOINING.name)
def joining(project: str) -> None:
    """Join what a project's versions answered with the labels that came since, and write the next span of examples.

    1. feedback: join the closed hours of the request log with new labels, write the span that the next training run reads.

    Args:
        project: The project file as JSON.
    """
    feedback(project=project)
