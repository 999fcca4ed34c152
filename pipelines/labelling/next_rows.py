"""`naru label next`: the rows that annotators should see next, so that each label says most and all of them stay an unbiased sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import ConfigError, DataError
from components._labels.joined_tables import join_tables
from components._labels.label_schema import ITEM
from components._labels.selection import DRIFTED, RANDOM, UNCERTAIN, Numbers, Selection, select_rows
from pipelines.labelling.champion_scores import open_champion
from pipelines.labelling.drifted_cells import DriftedCell, find_drifted_cells, rows_in_cells
from pipelines.labelling.opened import Opened, opened
from pipelines.labelling.pools import LOGGED, LogPool, Pool, TablePool
from pipelines.labelling.work_lists import MOST_ROWS, Target, WorkList, with_selection, write_list

MEASURES = ("margin", "entropy")


@dataclass(frozen=True)
class NextOptions:
    """What to select.

    Attributes:
        rows: Rows of the work list.
        source: The table, relative to the working directory; empty: the project's.
        log: How far back the request log is looked through instead, as in `7d`; empty: not at all.
        measure: How uncertainty is measured: `margin` or `entropy`.
    """

    rows: int
    source: str = ""
    log: str = ""
    measure: str = "margin"


def next_rows(folder: Path, options: NextOptions, target: Target) -> WorkList:
    """Select rows for annotators, and write them as a work list.

    Args:
        folder: The project's folder, or its file.
        options: What to select.
        target: Where the list goes.

    Raises:
        ConfigError: When an option, the table or the section `labels` does not fit.
        DataError: When the table cannot be read, or changed while it was read.
        ModelError: When the champion's files are not what was registered.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    target.check()
    with opened(folder) as project:
        chosen, selection, source = select_next(project, options)
        return write_list(project, chosen, target, source, selection.sizes)


def select_next(project: Opened, options: NextOptions) -> tuple[WorkList, Selection, str]:
    """Select rows; errors as of `next_rows`."""
    _check(options)
    cells = find_drifted_cells(project.root, project.project.name)
    if options.log:
        pool: Pool = LogPool(project, options.log, options.measure)
        return _select(project, pool, cells, options.rows)
    store, name = project.root, project.project.name
    with open_champion(store, name, project.project.task, options.measure) as scores:
        return _select(project, TablePool(project, options.source, scores), cells, options.rows)


def _check(options: NextOptions) -> None:
    if options.measure not in MEASURES:
        raise ConfigError(f"found {options.measure!r}", where="--by", remedy=f"allowed: {' or '.join(MEASURES)}")
    if options.log and options.source:
        remedy = "a list is selected from one of them; run the command twice"
        raise ConfigError("give --log or --source, not both", where="naru label next", remedy=remedy)
    if not 1 <= options.rows <= MOST_ROWS:
        raise ConfigError(f"found {options.rows}", where="--rows", remedy=f"allowed: 1 to {MOST_ROWS:,}")


def _select(project: Opened, pool: Pool, cells: list[DriftedCell], rows: int) -> tuple[WorkList, Selection, str]:
    """Look through the pool once for what is uncertain or has drifted, and once more for the selected rows."""
    listed = set(project.store.item_ids())
    items, uncertainty, drifted = _judge_pool(pool, listed, cells)
    seed = len(project.store.lists)  # another one for each list, and the same when a command is repeated
    selection = select_rows(uncertainty, drifted, rows, project.schema.config.next, seed)
    chosen = [items[place] for place in selection.places]
    lines = [*pool.describe(), *([f"{len(listed):,} items are in earlier lists"] if listed else [])]
    table = _take(pool, chosen)
    if table.num_rows != len(chosen):
        remedy = "run again when its writer has finished; nothing was written"
        raise DataError("the source changed while it was read", where=pool.source, remedy=remedy)
    strata = dict(zip(chosen, zip(selection.strata, selection.shares, strict=True), strict=True))
    found = [strata[item] for item in table[ITEM].to_pylist()]
    logged = table[LOGGED].to_pylist() if LOGGED in table.column_names else [1.0] * len(found)
    shares = [float(share) * part for (_, share), part in zip(found, logged, strict=True)]
    plain = table.select([name for name in table.column_names if name not in (LOGGED, "naru_score")])
    lines += _describe_parts(selection, cells)
    return WorkList(with_selection(plain, [part for part, _ in found], shares), lines=lines), selection, pool.source


def _judge_pool(pool: Pool, listed: set[str], cells: list[DriftedCell]) -> tuple[list[str], Numbers, NDArray[np.bool_]]:
    items: list[str] = []
    uncertainty, drifted = [np.zeros(0)], [np.zeros(0, np.bool_)]
    for batch in pool.batches():
        rows = batch.filter(pa.array([item not in listed for item in batch[ITEM].to_pylist()], pa.bool_()))
        if rows.num_rows:
            items += rows[ITEM].to_pylist()
            uncertainty.append(pool.uncertainty(rows))
            drifted.append(rows_in_cells(cells, rows.num_rows, partial(pool.values, rows)))
    return items, np.concatenate(uncertainty), np.concatenate(drifted)


def _take(pool: Pool, chosen: list[str]) -> pa.Table:
    wanted = set(chosen)
    parts = []
    for batch in pool.batches():
        rows = batch.filter(pa.array([item in wanted for item in batch[ITEM].to_pylist()], pa.bool_()))
        if rows.num_rows:
            parts.append(rows)
    return join_tables(parts) if parts else pa.table({ITEM: pa.array([], pa.string())})


def _describe_parts(selection: Selection, cells: list[DriftedCell]) -> list[str]:
    lines = []
    for name in (UNCERTAIN, DRIFTED, RANDOM):
        part = selection.sizes.get(name)
        if part is None:
            continue
        share = part["selected"] / part["rows"]
        chance = "all of them" if share == 1 else f"each with probability {share:.3g}"
        what = {
            UNCERTAIN: "the least certain rows",
            DRIFTED: f"{part['rows']:,} rows that drifted",
            RANDOM: f"the other {part['rows']:,} rows",
        }
        lines.append(f"{name:<10}{part['selected']:>7,} of {what[name]}, {chance}")
    if DRIFTED in selection.sizes:
        shown = ", ".join(f"{cell.feature} {cell.name}" for cell in cells[:3])
        more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
        lines.append(f"{'':<10}drifted: {shown}{more}")
    if UNCERTAIN not in selection.sizes:
        lines.append("no row is known to be uncertain: there is no version that answers with probabilities yet")
    return lines
