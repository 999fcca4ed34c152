"""Checks of the joins: rows without a match, rows of a second table that are of no use."""

from __future__ import annotations

from components._core.checks import Check, Status
from components._core.errors import DataError
from components._core.examples.artifact import JoinedTable
from components._core.project.data_config import Data
from components._core.project.join_config import Join
from components._data.columns.date_orders import merge_orders
from components._data.joins.joined_columns import join_path
from components._data.joins.table_joins import MatchCount, TableJoin, TableJoins


def judge_joins(data: Data, joins: TableJoins) -> None:
    """Refuse a table of which more rows have no match than a join with `severity: fail` allows, or whose dates are swapped.

    Raises:
        DataError: With the number of rows or dates.
    """
    for number, (join, made, count) in enumerate(zip(data.join, joins.joins, joins.counts, strict=True)):
        for orders in made.second.orders:
            orders.check_orders(f"{join_path(number)}.readings")
        if join.severity == "fail" and _exceeds(join, count):
            remedy = f"complete the second table, or allow a share of the rows with {join_path(number)}.allow"
            raise DataError(_describe(join, made, count), where=join_path(number), remedy=remedy)


def check_joins(data: Data, joins: TableJoins) -> list[Check]:
    """Report of each join the rows without a match, and what of the second table could not be used."""
    checks = []
    for join, made, count in zip(data.join, joins.joins, joins.counts, strict=True):
        name = f"join {made.second.name}"
        status: Status = "warn" if _exceeds(join, count) else "pass"
        share = count.unmatched / count.rows if count.rows else 0.0
        reason = _describe(join, made, count)
        checks.append(Check(name, status, round(share, 6), join.allow, n=count.rows, reason=reason))
        checks += _check_second_table(name, join, made)
    return checks


def describe_joins(joins: TableJoins) -> list[str]:
    """Describe the joins for the stage's line, as in `2 columns of weather.csv joined`."""
    found = []
    for join in joins.joins:
        count = len(join.types)
        note = f" ({join.second.note})" if join.second.note else ""
        found.append(f"{count} {'column' if count == 1 else 'columns'} of {join.second.name} joined{note}")
    return found


def list_joined(joins: TableJoins) -> list[JoinedTable]:
    """Return the second tables as the manifest has them."""
    return [
        JoinedTable(join.second.name, join.second.columns.brought, count.unmatched, join.second.files)
        for join, count in zip(joins.joins, joins.counts, strict=True)
    ]


def _exceeds(join: Join, count: MatchCount) -> bool:
    return count.unmatched > join.allow * count.rows


def _describe(join: Join, made: TableJoin, count: MatchCount) -> str:
    if not count.unmatched:
        return f"join {made.second.name}: each of {count.rows:,} rows has a match"
    why = [
        f"{count.timeless:,} without a time" if count.timeless else "",
        f"{count.too_old:,} older than {join.within}" if count.too_old else "",
    ]
    reasons = f" ({', '.join(filter(None, why))})" if any(why) else ""
    return f"join {made.second.name}: {count.unmatched:,} of {count.rows:,} rows without a match{reasons}"


def _check_second_table(name: str, join: Join, made: TableJoin) -> list[Check]:
    """Warn of rows and cells of the second table that could not be used."""
    second, total = made.second, made.second.rows.num_rows
    counts = {
        f"{made.unusable:,} of its {total:,} rows have no {'key or no time' if join.time else 'key'}": made.unusable,
    }
    if second.bad.first is not None:
        first = second.bad.first
        counts[f"{second.bad.rows:,} of its rows set aside; the first: {first.place}: {first.reason}"] = second.bad.rows
    others = sum(second.bad.others.values())
    counts[f"{others:,} of its rows are not data, and set aside"] = others
    counts[f"{second.odd.total:,} of its cells do not fit their column and are missing: {second.odd.describe()}"] = (
        second.odd.total
    )
    for column, count in merge_orders(second.orders).mixed().items():
        if column in made.second.rows.schema.names:
            counts[f"{column}: {count.describe()}"] = count.both + count.contrary
    return [
        Check(f"{name}: second table", "warn", float(found), 0.0, n=total, reason=f"{name}: {reason}")
        for reason, found in counts.items()
        if found
    ]
