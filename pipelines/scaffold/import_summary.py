"""Describe what was imported: the file, where its inputs come from, what was assumed and changed, and the next command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from textwrap import wrap

from components._core.suggestions import listed
from pipelines.scaffold.import_model import Imported
from pipelines.scaffold.project_writer import as_line

_SHOWN = 8
_WIDTH = 80


def describe_import(done: Imported) -> Iterator[str]:
    """Yield the lines for a person, within 80 columns; only a name that is longer, and the next command, are not broken."""
    for line in _describe(done):
        yield from wrap(as_line(line), _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    yield f"next: naru run {shlex.quote(str(done.folder))}"


def _describe(done: Imported) -> Iterator[str]:
    plan = done.plan
    facts = plan.facts
    yield f"{facts['file']}: made by {facts['made by']}, operators {facts['operators']}, sha256 {facts['sha256'][:16]}"
    for name, columns in plan.inputs.items():
        more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        yield f"input {name}: {', '.join(columns[:_SHOWN])}{more}"
    yield f"output {plan.scores}{': ' if plan.classes else ''}{', '.join(plan.classes[:_SHOWN])}"
    for note in plan.notes:
        yield f"note {note}"
    if plan.unused:
        yield f"note the model takes no {listed(plan.unused)}: list such columns under data.exclude, or requests have to carry them"
    if done.idle:
        yield f"note nothing calls {' and '.join(done.idle)} any more"
    if done.removed:
        yield f"removed {', '.join(done.removed)}: they have no meaning for a finished model"
    if done.aside:
        yield f"kept the model of before as {done.aside.name}"
    yield f"wrote model.onnx and project.yaml (code, model) in {done.folder}"
