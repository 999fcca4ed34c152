"""The checks of what a project expects of its table (`data.checks`), over all splits of the examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from components._core.checks import Check
from components._core.examples.artifact import SPLITS, Manifest, read_batches
from components._core.project.check_config import Checks
from components._core.types.column_types import BYTES
from components._data.rules.table_checks import TableChecks

_LINES = "`naru data check` names the lines"


def check_expectations(checks: Checks, examples: Path, manifest: Manifest) -> list[Check]:
    """Check the examples; nothing is read without expectations.

    Args:
        checks: `data.checks` of the project.
        examples: The examples artifact.
        manifest: Its manifest.

    Raises:
        ConfigError: When a column does not exist, or has a type that an expectation is not for.
    """
    if checks == Checks():
        return []
    table = TableChecks(checks, manifest.columns)
    for split in SPLITS:
        for span in manifest.spans:
            _add(table, examples, manifest, split, span)
    return [
        check if check.status == "pass" else replace(check, reason=f"{check.reason}; {_LINES}")
        for check in table.to_checks()
    ]


def _add(table: TableChecks, examples: Path, manifest: Manifest, split: str, span: int) -> None:
    where = f"{split}, span {manifest.unit.label(span)}" if len(manifest.spans) > 1 else split
    columns = table.columns or _smallest(manifest)  # one is enough to count rows
    before = 0
    for batch in read_batches(examples, split, columns, [span]):
        table.add(batch, lambda row, before=before: f"{where}, row {before + row + 1}")  # type: ignore[misc]
        before += batch.num_rows


def _smallest(manifest: Manifest) -> list[str]:
    """Return a column that is quickly read: not one of bytes, which may be pictures."""
    return sorted(manifest.columns, key=lambda name: manifest.columns[name] == BYTES.name)[:1]
