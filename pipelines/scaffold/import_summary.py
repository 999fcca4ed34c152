"""Describe what was imported: the file, where its inputs come from, what was assumed and changed, and the next command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from components._core.suggestions import listed
from pipelines.scaffold.import_model import Imported
from pipelines.scaffold.project_writer import as_line

_SHOWN = 8


def describe_import(done: Imported) -> Iterator[str]:
    """Yield the lines for a person; names from the file stay in one line each."""
    plan = done.plan
    facts = plan.facts
    yield as_line(
        f"{facts['file']}: made by {facts['made by']}, operators {facts['operators']}, sha256 {facts['sha256'][:16]}"
    )
    for name, columns in plan.inputs.items():
        more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        yield as_line(f"input {name}: {', '.join(columns[:_SHOWN])}{more}")
    yield as_line(f"output {plan.scores}{': ' if plan.classes else ''}{', '.join(plan.classes[:_SHOWN])}")
    for note in plan.notes:
        yield as_line(f"note {note}")
    if plan.unused:
        yield as_line(
            f"note the model takes no {listed(plan.unused)}: list such columns under data.exclude, or requests have to carry them"
        )
    if done.idle:
        yield as_line(f"note nothing calls {' and '.join(done.idle)} any more")
    if done.removed:
        yield f"removed {', '.join(done.removed)}: they have no meaning for a finished model"
    if done.aside:
        yield as_line(f"kept the model of before as {done.aside.name}")
    yield as_line(f"wrote model.onnx and project.yaml (code, model) in {done.folder}")
    yield f"next: naru run {shlex.quote(str(done.folder))}"
