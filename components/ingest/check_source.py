"""Check a source without a run: read it as ingest does, and hold its rows against `data.checks`. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components._core.checks import Outcome, judge
from components._core.project.project_file import Project
from components._core.types.span_units import NUMBER
from components._data.columns.cell_counts import CellCounts, check_fitting
from components._data.columns.date_orders import OrderCounts
from components._data.formats.bad_rows import BadRowCount
from components._data.formats.registry import open_format
from components._data.formats.rows import FileTally, Rows
from components._data.joins.table_joins import TableJoins
from components._data.rules.row_rules import RowFilter, describe_dropped
from components._data.rules.table_checks import TableChecks
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source, span_unit
from components.ingest.date_checks import check_orders
from components.ingest.join_checks import check_joins, judge_joins
from components.ingest.named_columns import check_named_columns
from components.ingest.outcome_checks import check_cells
from components.ingest.row_checks import check_dropped, check_other_rows, check_readable, judge_rows
from components.ingest.span_checks import check_missing_spans, check_spans


@dataclass(frozen=True)
class _Places:
    """The places of some rows in their file; the lines are counted when the first one is needed."""

    file: SpanFile
    unit: str
    rows: Rows

    def __call__(self, row: int) -> str:
        return f"{self.file.name}, {self.unit} {self._lines[row]}"

    @cached_property
    def _lines(self) -> NDArray[np.int64]:
        return self.rows.lines()


def check_source(project: Project) -> Outcome:
    """Check the rows of a project's source, in bounded memory.

    Args:
        project: The project, with its source as an absolute location.

    Returns:
        A check for each expectation of `data.checks`, and those that ingest makes of rows and cells; `blocked` when one
        fails.

    Raises:
        ConfigError: When the project names a column that the source does not have, or a check does not fit its type.
        DataError: When the source cannot be read, or more rows than `data.quarantine_limit` allows.
    """
    data = project.data
    files = open_source(data.source, data.missing_spans, data.sql).list_files(data.spans)
    table = open_format(data, files[0])
    schema = table.infer_schema(files, project.label)
    joins = TableJoins(data, schema.types, lambda row: None)
    check_named_columns(project, list(schema.types), list(joins.types))
    types = joins.column_types
    rules, checks = RowFilter(data.rows, types), TableChecks(data.checks, types)
    aside, odd, missing = BadRowCount(), CellCounts(), CellCounts()
    orders: list[OrderCounts] = []
    of_files: list[tuple[int, str, int]] = []
    for file in files:
        tally, before = FileTally(), checks.rows
        for read in table.read_rows(file, schema, project.label, aside.add, (), tally):
            rows = rules.apply(joins.apply(read, joins.counts))
            checks.add(rows.examples, _Places(file, table.unit, rows))
        odd.merge(tally.odd)
        tally.orders.check_orders()
        check_fitting(tally.odd, tally.fitting, file.name)
        missing.merge(tally.missing)
        orders.append(tally.orders)
        of_files.append((file.span, file.name, checks.rows - before))
    judge_rows(project, files[0].name, checks.rows, rules, aside)
    judge_joins(data, joins)
    found = [
        *checks.to_checks(),
        check_readable(checks.rows + rules.total, aside),
        *check_dropped(checks.rows, rules.dropped),
        *check_missing_spans(project, list(dict.fromkeys(file.span for file in files))),
        *check_spans(of_files, span_unit(data) or NUMBER),
        *check_other_rows(aside),
        *check_cells(odd, missing, checks.rows),
        *check_orders(data, orders, checks.rows),
        *check_joins(data, joins),
    ]
    summary = f"{checks.rows:,} rows, {len(types)} columns, {len(files)} {'file' if len(files) == 1 else 'files'}"
    reason = "; ".join(filter(None, [summary, describe_dropped(rules.dropped)]))
    return judge(found, reason, {"rows": float(checks.rows), "quarantined": float(aside.rows)})
