"""What the measured runs come to: medians, the cost of a further copy, the floors; and the table that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.measured_run import Run

COUNTERPARTS = {
    "ingest": ["CsvExampleGen"],
    "validate": ["StatisticsGen", "SchemaGen", "ExampleValidator"],
    "transform": ["Transform"],
    "tune": [],
    "train": ["Trainer"],
    "evaluate": ["Evaluator"],
    "explain": [],
    "register": [],
    "deploy": ["Pusher"],
}
"""Which of the peer's components does the work of each of our stages; what has none is counted on our side all the same."""


@dataclass(frozen=True)
class Floor:
    """A bound that the measurement must keep.

    Attributes:
        name: What is bounded.
        measured: What was found.
        floor: The most that is allowed.
        aim: What is aimed at; None when no more than the floor is.
    """

    name: str
    measured: float
    floor: float
    aim: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it is kept."""
        return self.measured <= self.floor


def summarise(runs: Sequence[Run]) -> dict[str, Any]:
    """Medians over the rounds of both sides, and how cost grows with the rows.

    Args:
        runs: Of both sides, with one copy and with at least one other number of copies.
    """
    ours, theirs = ([run for run in runs if run.timed and run.side == side] for side in ("naru", "tfx"))
    one, peer_one = ([run for run in side if run.copies == 1] for side in (ours, theirs))
    found = {
        "seconds": _median(one, "seconds"),
        "peer_seconds": _median(peer_one, "seconds"),
        "seconds_without_explain": median(run.seconds - _stage_seconds(run, "explain") for run in one),
        "cpu_seconds": _median(one, "cpu_seconds"),
        "peer_cpu_seconds": _median(peer_one, "cpu_seconds"),
        "seconds_per_further_copy": per_further_copy(ours),
        "peer_seconds_per_further_copy": per_further_copy(theirs),
        "auc": median(run.auc for run in one if run.auc is not None),
        "peer_auc": median(run.auc for run in peer_one if run.auc is not None),
        "stages": stages_of(one),
        "peer_stages": stages_of(peer_one),
        "to_transform_seconds": _growth(ours),
        "peer_to_transform_seconds": _growth(theirs),
        "others_cpu_share": max(run.others_cpu_seconds / run.seconds for run in (*ours, *theirs)),
        **_memory([run for run in runs if not run.timed]),
    }
    return {**found, "floors": [{**asdict(floor), "holds": floor.holds} for floor in floors(found)]}


def _memory(runs: Sequence[Run]) -> dict[str, Any]:
    """Peaks in MiB of the runs that were looked at closely: the whole tree's, and each stage's with one copy."""
    found: dict[str, Any] = {}
    for run in runs:
        side = "peer_" if run.side == "tfx" else ""
        copies = {1: "one_copy", 10: "ten_copies"}.get(run.copies, f"{run.copies}_copies")
        found[f"{side}rss_{copies}"] = run.peak_mib
        found[f"{side}rss_summed_{copies}"] = run.peak_summed_mib
        if run.copies == 1:
            found[f"{side}stage_rss"] = {stage.name: stage.peak_mib for stage in run.stages}
    return found


def floors(found: dict[str, Any]) -> list[Floor]:
    """The bounds, on what was found."""
    most = next(found[name] for name in found if name.startswith("rss_") and "summed" not in name and "one" not in name)
    return [
        Floor("wall time, share of TFX's", found["seconds"] / found["peer_seconds"], 0.5, 0.25),
        Floor(
            "a further copy, share of TFX's",
            found["seconds_per_further_copy"] / found["peer_seconds_per_further_copy"],
            0.2,
            0.1,
        ),
        Floor("AUC lost against TFX", found["peer_auc"] - found["auc"], 0.005),
        Floor("peak memory with most copies, times that of one", most / found["rss_one_copy"], 1.3),
    ]


def per_further_copy(runs: Sequence[Run]) -> float:
    """Seconds from the first stage to the end of transform for each further copy: the slope through the medians."""
    points = _growth(runs)
    copies, seconds = [int(copy) for copy in points], list(points.values())
    middle, height = sum(copies) / len(copies), sum(seconds) / len(seconds)
    spread = sum((copy - middle) ** 2 for copy in copies)
    return sum((copy - middle) * (at - height) for copy, at in zip(copies, seconds, strict=True)) / spread


def stages_of(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Median seconds and work by stage; `outside` is what passes in no stage: imports, above all."""
    names = [stage.name for stage in runs[0].stages]
    found = {name: _stage_medians(runs, index) for index, name in enumerate(names)}
    outside = median(run.seconds - sum(stage.seconds for stage in run.stages) for run in runs)
    return {**found, "outside": {"seconds": outside}}


def table(found: dict[str, Any]) -> str:
    """What a person reads: stage against stage, sums, growth, floors."""
    lines = [f"{'stage':<12} {'naru s':>8} {'TFX s':>8}  {'naru MiB':>8} {'TFX MiB':>8}  of TFX"]
    lines += [_line(found, stage) for stage in (*COUNTERPARTS, "outside")]
    peaks = f"{found['rss_one_copy']:>8,.0f} {found['peer_rss_one_copy']:>8,.0f}"
    lines.append(f"{'all':<12} {found['seconds']:>8.1f} {found['peer_seconds']:>8.1f}  {peaks}")
    lines.append(
        f"without explain, which has no counterpart: {found['seconds_without_explain']:.1f} s; "
        f"AUC {found['auc']:.4f} and {found['peer_auc']:.4f} on the same test rows"
    )
    lines += ["", f"{'copies':<12} {'naru s':>8} {'TFX s':>8}  from the first stage to the end of transform"]
    theirs = found["peer_to_transform_seconds"]
    lines += [f"{copy:<12} {at:>8.1f} {theirs[copy]:>8.1f}" for copy, at in found["to_transform_seconds"].items()]
    lines.append(
        f"{'one more':<12} {found['seconds_per_further_copy']:>8.2f} {found['peer_seconds_per_further_copy']:>8.2f}"
    )
    lines += ["", *(_floor_line(floor) for floor in floors(found))]
    if found["others_cpu_share"] > 0.1:
        message = f"{found['others_cpu_share']:.0%} of a core"
        lines += [
            "",
            f"The machine was not quiet: other work took up to {message} during a run. Repeat it on a quiet one.",
        ]
    return "\n".join(lines)


def _line(found: dict[str, Any], stage: str) -> str:
    names = COUNTERPARTS.get(stage, [stage])
    theirs = f"{sum(found['peer_stages'][name]['seconds'] for name in names):.1f}" if names else "–"
    peak, peer_peak = _peak(found["stage_rss"], [stage]), _peak(found["peer_stage_rss"], names)
    message = "imports, hand-overs" if stage == "outside" else ", ".join(names) or "–"
    return f"{stage:<12} {found['stages'][stage]['seconds']:>8.1f} {theirs:>8}  {peak:>8} {peer_peak:>8}  {message}"


def _peak(peaks: dict[str, float], names: list[str]) -> str:
    known = [peaks[name] for name in names if name in peaks]
    return f"{max(known):,.0f}" if known else ""


def _floor_line(floor: Floor) -> str:
    aim = "" if floor.aim is None else f", aim {floor.aim:g}"
    return f"{'holds ' if floor.holds else 'BROKEN'} {floor.name}: {floor.measured:.3f} (at most {floor.floor:g}{aim})"


def _stage_medians(runs: Sequence[Run], index: int) -> dict[str, float]:
    stages = [run.stages[index] for run in runs]
    return {name: median(getattr(stage, name) for stage in stages) for name in ("seconds", "work_seconds")}


def _growth(runs: Sequence[Run]) -> dict[str, float]:
    """Seconds to the end of transform by number of copies, as text, which JSON's keys are."""
    copies = sorted({run.copies for run in runs})
    return {str(copy): _median([run for run in runs if run.copies == copy], "to_transform_seconds") for copy in copies}


def _median(runs: Sequence[Run], name: str) -> float:
    values: list[float] = [getattr(run, name) for run in runs]
    return median(values)


def _stage_seconds(run: Run, name: str) -> float:
    return sum(stage.seconds for stage in run.stages if stage.name == name)
