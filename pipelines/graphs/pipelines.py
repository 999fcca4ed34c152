"""The pipelines by name: a pipeline is a list of stages. Its graph, which needs kfp, is in the module of its name.

Standard library only: the launcher, which starts once per stage in milliseconds, imports this.
"""

from __future__ import annotations

from typing import NamedTuple

from components._core.stage.stage_spec import StageSpec
from components.stages import (
    DEPLOY,
    EVALUATE,
    EXPLAIN,
    FEEDBACK,
    INGEST,
    MONITOR,
    PREDICT,
    REGISTER,
    SETTLE,
    TRAIN,
    TRANSFORM,
    TUNE,
    VALIDATE,
    WATCH,
)


class Pipeline(NamedTuple):
    """A pipeline.

    Attributes:
        name: Its name: the module of its graph, the file that it compiles to, the ending of its name on a KFP server.
        stages: Its stages, in the order in which they run.
        purpose: What it does, as the beginning of a sentence about a project.
    """

    name: str
    stages: tuple[StageSpec, ...]
    purpose: str = ""

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names of its stages, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def file_name(self) -> str:
        """The file that it compiles to."""
        return f"{self.name}.yaml"

    def name_of(self, project: str) -> str:
        """Its name on a KFP server, for a project."""
        return f"{project}-{self.name}"

    def from_stage(self, name: str) -> tuple[str, ...]:
        """The names of a stage and of those after it.

        Raises:
            ValueError: When the pipeline has no stage of that name.
        """
        return self.stage_names[self.stage_names.index(name) :]


TRAINING = Pipeline(
    "training",
    (INGEST, VALIDATE, TRANSFORM, TUNE, TRAIN, EVALUATE, EXPLAIN, REGISTER, DEPLOY),
    "Trains the model of the project",
)
MONITORING = Pipeline("monitoring", (MONITOR,), "Monitors the answered requests of the project")
"""The monitoring pipeline: one stage that looks at the requests that were answered; a run for each hour."""
PREDICTION = Pipeline("prediction", (PREDICT,), "Answers the rows of a table with a model of the project")
JOINING = Pipeline("feedback", (FEEDBACK,), "Joins the answers of the project with labels that come later")
"""The feedback pipeline: one stage that joins the request log with new labels; a run for each day."""
WATCHING = Pipeline("watch", (WATCH,), "Looks at the triggers of the project")
"""The watching pipeline: one stage that decides whether a training run starts."""
SETTLING = Pipeline("livetest", (SETTLE,), "Looks at the live test of a version of the project")
"""The pipeline of live tests: one stage that judges a test when it is time; it looks as often as the monitor."""

PIPELINES = {pipeline.name: pipeline for pipeline in (TRAINING, MONITORING, PREDICTION, JOINING, WATCHING, SETTLING)}
"""Every pipeline by its name."""
