"""A project with a champion, a version that deploy puts into a live test, and the lines and labels that servers would write."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.checks import Outcome
from components._core.examples.samples import Sample
from components._core.files import write_text
from components._core.project.project_file import load_project
from components._core.request_log.layout import hour_folder
from components._core.request_log.live_test_lines import (
    CHALLENGER,
    CHAMPION,
    answer_of,
    live_test_uri,
    write_line,
    write_lost,
)
from components._core.request_log.posted_labels import PostedLabel, write_lines
from components._core.store.ledger import current_champion
from components._core.store.live_tests import LiveTest, read_live_tests
from components.deploy.into_service import Change
from components.deploy.live_test.begin import begin_live_test
from components.deploy.promotion import Compared
from components.deploy.targets.contract import Target
from tests.pipelines.approving import InstantTarget, registered, settings_of

SHADOW = """\
name: tiny
task: regression
label: y
data: {source: t.csv}
feedback: {endpoint: true}
serve:
  request_log: {}
  rollout: shadow
  shadow: {requests: 20, min_requests: 5, deadline: 2d, difference: 0.5}
"""
AB = """\
name: tiny
task: regression
label: y
data: {source: t.csv}
feedback: {endpoint: true}
serve:
  request_log: {}
  rollout: ab
  ab: {effect: 0.5, spread: 0.5, deadline: 2d}
"""


def begin(
    project: Path, version: str = "2", target: Target | None = None, rows: Sequence[float] = (1.0, 2.0)
) -> Outcome | None:
    """Let deploy begin the live test of a version that was judged against the champion of now."""
    settings, loaded = settings_of(project), load_project(project)
    champion = current_champion(settings.store, "tiny")
    compared = Compared(champion.identity if champion else None, "evaluate", "run again")
    change = Change(loaded, settings, registered(project, version), f"training run run-{version}", compared)
    found = begin_live_test(change, target or InstantTarget(), lambda: Sample(pa.table({"x": rows}), {}))
    return found[0] if found else None


def live_tests_of(project: Path) -> list[LiveTest]:
    return read_live_tests(settings_of(project).store, "tiny")


def _log(project: Path) -> Path:
    return Path(settings_of(project).store) / "tiny" / "requests"


def _put(folder: Path, lines: Sequence[bytes]) -> None:
    path = folder / hour_folder(datetime.now(UTC).timestamp()) / f"pod-{uuid.uuid4().hex}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))


def answer(version: str, value: float, milliseconds: float = 1.0) -> dict[str, Any]:
    return answer_of(version, milliseconds / 1_000, {"prediction": np.array([value], np.float32)})


def mirror(project: Path, pairs: Sequence[tuple[float, float | None]], first: int = 0) -> None:
    """Write what both versions answered to request 0, 1, ... during the newest test; None: the shadow failed."""
    test = live_tests_of(project)[-1]
    lines = []
    for number, (own, other) in enumerate(pairs, first):
        challenger = {"failed": "failed"} if other is None else answer("2", other)
        answers = {CHAMPION: answer("1", own), CHALLENGER: challenger}
        lines.append(write_line("shadow", str(number), datetime.now(UTC).timestamp(), answers))
    _put(Path(live_test_uri(str(_log(project)), test.name)), lines)


def lose(project: Path, **reasons: int) -> None:
    """Count requests whose copies were dropped, by reason."""
    (test,) = live_tests_of(project)
    _put(Path(live_test_uri(str(_log(project)), test.name)), [write_lost("shadow", reasons)])


def damage(project: Path, lines: int) -> None:
    """Write lines that were cut in the middle."""
    (test,) = live_tests_of(project)
    whole = write_line("shadow", "cut", datetime.now(UTC).timestamp(), {CHAMPION: answer("1", 0.0)})
    _put(Path(live_test_uri(str(_log(project)), test.name)), [whole[: len(whole) // 2] + b"\n"] * lines)


def split(
    project: Path, champion: Sequence[float], challenger: Sequence[float], failed: int = 0, units: int | None = None
) -> None:
    """Write what each version answered to its requests: champion-0, ... and challenger-0, ...; of `units` values of the key each, None: without a key."""
    test = live_tests_of(project)[-1]
    now = datetime.now(UTC).timestamp()
    lines = []
    for arm, version, values in ((CHAMPION, "1", champion), (CHALLENGER, "2", challenger)):
        for n, value in enumerate(values):
            unit = "" if units is None else f"{arm}-value-{n % units}"
            lines.append(write_line("ab", f"{arm}-{n}", now, {arm: answer(version, value)}, unit))
    for number in range(failed):
        both = {CHALLENGER: {"failed": "no_answer"}, CHAMPION: answer("1", 0.0)}
        lines.append(write_line("ab", f"failed-{number}", now, both))
    _put(Path(live_test_uri(str(_log(project)), test.name)), lines)


def post_labels(project: Path, labels: dict[str, float]) -> None:
    """Post labels of the first row of some requests."""
    found = [PostedLabel(name, 0, value) for name, value in labels.items()]
    _put(_log(project) / "labels", [write_lines(found, datetime.now(UTC).timestamp())])


def set_project(folder: Path, text: str) -> Path:
    write_text(folder / "project.yaml", text)
    return folder
