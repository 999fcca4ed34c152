"""`naru label export` and `next`: rows go out as a work list, and stay in the store with all their columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from components._core.errors import ConfigError
from components._core.files import write_bytes
from components._labels.exchange.contract import WorkItem
from components._labels.exchange.table import FORMATS, find_format
from components._labels.joined_tables import join_tables
from components._labels.label_schema import ITEM, LabelSchema
from components._labels.label_store import SHARE, STRATUM
from components._labels.label_studio_server import LabelStudio
from components._labels.labelled_items import LabelledItems, read_labelled
from components._labels.work_rows import RowCounts, read_unlabelled, shown_columns, to_work_items
from pipelines.labelling.opened import Opened, opened

MOST_ROWS = 100_000
"""Rows of a work list: more is no list for people."""


@dataclass
class WorkList:
    """A work list that was made.

    Attributes:
        rows: Its rows, with the columns of the store; an item is there once.
        places: Where it was written, or the page of the server.
        lines: What a person should know, a line each.
    """

    rows: pa.Table
    places: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """Where a work list goes: to a file, or to a Label Studio server.

    Attributes:
        output: The list's file; None: none.
        format: Name of the file's format; empty: by its ending, else Label Studio's.
        url: Address of the server; empty: none.
    """

    output: Path | None
    format: str = ""
    url: str = ""

    def check(self) -> None:
        """Refuse a target without a place.

        Raises:
            ConfigError: When there is no file and no server, the format is unknown, or the server has no token.
        """
        if self.output is None and not self.url:
            remedy = "name the list's file, as in work.json; or --url of a Label Studio server"
            raise ConfigError("is missing", where="--output", remedy=remedy)
        if self.format:
            find_format(self.format)
        if self.url:
            LabelStudio.at(self.url)


def export_rows(folder: Path, target: Target, source: str = "", rows: int = 0) -> WorkList:
    """Write the rows of a table that have no label yet as a work list.

    Args:
        folder: The project's folder, or its file.
        target: Where the list goes; a folder for the pictures of COCO is made beside its file.
        source: The table, relative to the working directory; empty: the project's.
        rows: Most rows, the first ones; 0: all.

    Raises:
        ConfigError: When the table does not fit the section `labels`, there are too many rows, or the file cannot be written.
        DataError: When the table cannot be read.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    target.check()
    with opened(folder) as project:
        return write_list(project, choose_all(project, source, rows), target, source or "table")


def choose_all(project: Opened, source: str, rows: int) -> WorkList:
    """Read the rows of a table that have no label yet; arguments and errors as of `export_rows`."""
    counts = RowCounts()
    done = finished(read_labelled(project.store, project.schema))
    parts: list[pa.Table] = []
    kept = 0
    for batch in read_unlabelled(project.table(source), project.schema, counts):
        left = batch.filter(pa.array([item not in done for item in batch[ITEM].to_pylist()], pa.bool_()))
        parts.append(left.slice(0, rows - kept) if rows else left)
        kept += parts[-1].num_rows
        if kept > MOST_ROWS:
            message = f"has more than {MOST_ROWS:,} rows without a label"
            raise ConfigError(message, where="the table", remedy="give --rows, or choose them with naru label next")
        if rows and kept >= rows:
            break
    table = join_tables(parts)
    return WorkList(with_selection(table), lines=describe_rows(counts, len(done)))


def export_ties(folder: Path, target: Target) -> WorkList:
    """Write the items on which annotators are divided as a work list for an adjudicator, with what they said.

    Raises:
        ConfigError: When the project names no adjudicator, or the file cannot be written.
        ServiceError: When the store is damaged.
        UnavailableError: When the store does not answer.
    """
    target.check()
    with opened(folder) as project:
        if not project.schema.config.adjudicators:
            remedy = "name who decides, as in {adjudicators: [lead@example.com]}"
            raise ConfigError("is empty", where="labels.adjudicators", remedy=remedy)
        labelled = read_labelled(project.store, project.schema)
        tied = {item: verdict.votes for item, verdict in labelled.verdicts.items() if verdict.state == "tied"}
        rows = join_tables(project.store.read_items(tied))
        chosen = WorkList(rows, lines=[f"{len(tied):,} items on which annotators are divided"])
        return _send(project.schema, chosen, target, tied)


def finished(labelled: LabelledItems) -> set[str]:
    """Return the items that need no further annotator: they have a label, or wait for an adjudicator."""
    return {item for item, verdict in labelled.verdicts.items() if verdict.state != "waiting"}


def with_selection(rows: pa.Table, strata: Sequence[str] = (), shares: Iterable[float] = ()) -> pa.Table:
    """Add how the rows were selected; without arguments all were taken."""
    count = rows.num_rows
    stratum = pa.array(strata, pa.string()) if strata else pa.nulls(count, pa.string())
    share = pa.array(shares, pa.float64()) if strata else pa.nulls(count, pa.float64())
    return rows.append_column(STRATUM, stratum).append_column(SHARE, share)


def describe_rows(counts: RowCounts, finished_: int) -> list[str]:
    """Describe what was read of a table."""
    lines = [f"{counts.rows:,} rows without a label in the table"]
    if counts.labelled:
        lines[0] += f", {counts.labelled:,} with one"
    if counts.repeated:
        lines.append(f"{counts.repeated:,} rows repeat another one, and are labelled with it")
    if counts.unreadable:
        lines.append(f"{len(counts.unreadable):,} rows cannot be read, the first: {counts.unreadable[0].reason}")
    if finished_:
        lines.append(f"{finished_:,} items are labelled already, or wait for an adjudicator")
    return lines


def write_list(
    project: Opened, chosen: WorkList, target: Target, source: str, strata: dict[str, dict[str, int]] | None = None
) -> WorkList:
    """Send a work list out, and keep its rows in the store.

    Args:
        project: The opened project.
        chosen: The rows.
        target: Where the list goes.
        source: What the rows were chosen from.
        strata: Sizes of the strata that they were chosen from.
    """
    if not chosen.rows.num_rows:
        chosen.lines.append("nothing to label: no list was written")
        return chosen
    sent = _send(project.schema, chosen, target, {})
    # last: a command that fails before selects the same rows when it is repeated, and a server takes them once
    project.store.add_list(chosen.rows, source, strata or {})
    return sent


def _send(schema: LabelSchema, chosen: WorkList, target: Target, votes: dict[str, dict[str, str]]) -> WorkList:
    if not chosen.rows.num_rows:
        return chosen
    shown = shown_columns(schema, chosen.rows.column_names)
    items = to_work_items(chosen.rows, shown, votes)
    if target.url:
        page, added = LabelStudio.at(target.url).send_items(schema, shown, items)
        known = f", {len(items) - added:,} are there already" if added < len(items) else ""
        chosen.lines.append(f"{added:,} tasks added{known}")
        chosen.places.append(page)
    if target.output is not None:
        chosen.places += _write(schema, shown, items, target.output, target.format)
    return chosen


def _write(schema: LabelSchema, shown: Sequence[str], items: Sequence[WorkItem], output: Path, name: str) -> list[str]:
    """Write the files of a list; returns their paths, and the folder of pictures."""
    known = find_format(name) if name else FORMATS["csv" if output.suffix.lower() == ".csv" else "label-studio"]
    content = known.write(schema, shown, items)
    endings = [name for name in content if name.startswith(".")]
    stem = output.with_suffix("") if output.suffix == endings[0] else output
    files = {name: Path(f"{stem}{name}") if name.startswith(".") else stem.parent / name for name in content}
    _refuse_filled_in(files[endings[0]], content[endings[0]])
    for name in reversed(content):  # the list last: what it names is there by then
        os.makedirs(files[name].parent, exist_ok=True)  # noqa: PTH103
        write_bytes(files[name], content[name])
    folders = {str(files[name].parent) for name in content if name not in endings}
    return [*(str(files[name]) for name in endings), *sorted(folders)]


def _refuse_filled_in(file: Path, content: bytes) -> None:
    """Refuse to replace a list by another one: somebody may have filled it in.

    Raises:
        ConfigError: When there is a file with another content.
    """
    try:
        with file.open("rb") as stream:
            before = stream.read(len(content) + 1)
    except FileNotFoundError:
        return
    if before != content:
        remedy = "import it if somebody has filled it in, then remove it; or name another file"
        raise ConfigError("there is a file already, with another content", where=f"--output {file}", remedy=remedy)
