"""Checks of the rows that a source has: unreadable ones, rows that are not data, rows left out by `data.rows`."""

from __future__ import annotations

from collections.abc import Mapping

from components._core.checks import Check, Status
from components._core.errors import DataError
from components._core.project.project_file import Project
from components._data.formats.bad_rows import BadRowCount, quote_remedy
from components._data.rules.row_rules import RowFilter


def judge_rows(project: Project, file: str, kept: int, rules: RowFilter, aside: BadRowCount) -> None:
    """Refuse a table of which no row is left, or more rows cannot be read than `data.quarantine_limit` allows.

    Args:
        project: The project.
        file: The first file, for messages.
        kept: Rows that became examples.
        rules: The rules of `data.rows`, with the rows that they left out.
        aside: The rows set aside.

    Raises:
        DataError: With the first row that cannot be read.
    """
    if not kept and rules.total:
        remedy = "correct the rules, or the source"
        raise DataError(f"no row is left: {rules.describe()}", where="data.rows", remedy=remedy)
    if not kept and not aside.rows:
        raise DataError(
            "has a header and no rows", where=file, remedy="nothing can be learned from it; check the export"
        )
    read = kept + rules.total
    aside.check_quotes(read)
    share = aside.rows / (read + aside.rows)
    if share > project.data.quarantine_limit and aside.first is not None:
        first = aside.first
        message = f"{aside.rows} of {read + aside.rows} rows cannot be read ({share:.2%}; allowed {project.data.quarantine_limit:.2%}); the first: {first.reason}"
        remedy = "correct the rows, or allow a share of them with data.quarantine_limit"
        raise DataError(
            message,
            where=first.place,
            remedy=f"{quote_remedy(first.text)}; or {remedy}" if first.is_quote else remedy,
        )


def check_readable(read: int, aside: BadRowCount) -> Check:
    """Report the rows that cannot be read, beside the number of those that can."""
    status: Status = "warn" if aside.rows else "pass"
    return Check(
        "readable rows", status, float(aside.rows), 0.0, n=read + aside.rows, reason=_quarantine_message(aside)
    )


def _quarantine_message(aside: BadRowCount) -> str:
    if aside.first is None:
        return ""
    by_quotes = f" ({aside.quote_rows} of them by quote errors)" if aside.quote_rows else ""
    first = aside.first
    return f"{aside.rows} rows set aside{by_quotes}; the first: {first.place}: {first.reason}"


def check_other_rows(aside: BadRowCount) -> list[Check]:
    """Report rows that are not data, such as a repeated header: they count in no limit."""
    checks = []
    for reason, count in aside.others.items():
        rows = "1 row is" if count == 1 else f"{count:,} rows are"
        message = f"{rows} not data, and set aside: {aside.first_others[reason].place}: {reason}"
        checks.append(Check("rows that are not data", "warn", float(count), 0.0, reason=message))
    return checks


def check_dropped(kept: int, dropped: Mapping[str, int]) -> list[Check]:
    """Report the rows that each rule of `data.rows` left out."""
    rows = kept + sum(dropped.values())
    return [
        Check(f"rows left out: {name}", "pass", float(count), n=rows, reason=f"{count:,} of {rows:,} rows")
        for name, count in dropped.items()
    ]
