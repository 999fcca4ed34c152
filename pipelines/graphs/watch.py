"""The watching pipeline: one stage, run as often as `triggers.watch` says."""

from kfp import dsl

from components.watch.component import watch
from pipelines.graphs.pipelines import WATCHING


@dsl.pipeline(name=WATCHING.name)
def watching(project: str, training: str, code_commit: str = "") -> None:
    """Look at the triggers of a project, and start a training run where one has a cause.

    1. watch: record how earlier runs ended, decide, start at most one run, record every decision with its reason.

    Args:
        project: The project file as JSON, with its triggers.
        training: Pipeline and version that its runs are of, as in `flights-training/0123456789ab`.
        code_commit: Git commit of the code, for the records of the runs; `+dirty` after it with changes on top.
    """
    watch(project=project, training=training, code_commit=code_commit)
