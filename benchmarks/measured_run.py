"""One measured run of either side, and the stages in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.process_watch import Watched

READY = "transform"
"""Up to here a further copy of the rows is counted: what comes behind is capped by the number of steps."""


@dataclass(frozen=True)
class Stage:
    """One stage or component of a run.

    Attributes:
        name: Its name.
        began: In seconds since the epoch.
        ended: The same.
        work_seconds: Spent in the stage's own function, where that is known; else 0.
        peak_mib: Memory of the whole process tree while it ran, shared pages counted once.
    """

    name: str
    began: float
    ended: float
    work_seconds: float = 0.0
    peak_mib: float = 0.0

    @property
    def seconds(self) -> float:
        """From its start to its end."""
        return self.ended - self.began


@dataclass(frozen=True)
class Run:
    """A measured run.

    Attributes:
        side: `naru` or `tfx`.
        copies: How often the rows were repeated.
        seconds: From the command's start to its end.
        cpu_seconds: Of all its processes.
        others_cpu_seconds: Of everything else on the machine meanwhile.
        to_transform_seconds: From the first stage's start to the end of transform.
        peak_mib: Most memory of the process tree, shared pages counted once.
        peak_summed_mib: The same with shared pages counted in every process.
        auc: On the held-out rows; None when the run stopped before.
        stages: In their order.
        samples_per_second: How often memory was sampled; 0: never, and only such runs count for time.
    """

    side: str
    copies: int
    seconds: float
    cpu_seconds: float
    others_cpu_seconds: float
    to_transform_seconds: float
    peak_mib: float
    peak_summed_mib: float
    auc: float | None
    stages: list[Stage]
    samples_per_second: float

    @property
    def timed(self) -> bool:
        """Whether it counts for time; otherwise it counts for memory."""
        return not self.samples_per_second

    def to_dict(self) -> dict[str, Any]:
        """As the results keep it: durations instead of moments."""
        stages = [
            {
                "name": stage.name,
                "seconds": stage.seconds,
                "work_seconds": stage.work_seconds,
                "peak_mib": stage.peak_mib,
            }
            for stage in self.stages
        ]
        return {**asdict(self), "stages": stages}


def make_run(side: str, copies: int, watched: Watched, stages: list[Stage], auc: float | None) -> Run:
    """Put together what was watched and what the side recorded of its stages."""
    ready = next(stage for stage in stages if stage.name.lower() == READY)
    return Run(
        side,
        copies,
        watched.seconds,
        watched.cpu_seconds,
        watched.others_cpu_seconds,
        ready.ended - stages[0].began,
        watched.peak().pss_kib / 1024,
        watched.peak_summed_kib() / 1024,
        auc,
        [_with_peak(stage, watched) for stage in stages],
        len(watched.samples) / watched.seconds,
    )


def _with_peak(stage: Stage, watched: Watched) -> Stage:
    peak = watched.peak(stage.began, stage.ended).pss_kib / 1024
    return Stage(stage.name, stage.began, stage.ended, stage.work_seconds, peak)
