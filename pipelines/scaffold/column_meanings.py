"""Decide what the cells of each column mean, and what of it project.yaml must say.

The table has been profiled once, as ingest reads it without a word in project.yaml: numbers with a unit are numbers and
codes are texts already. What is decided here beyond that (dates, times of day, sentinels, codes among whole numbers) is
written to `data.columns`, with everything that is not obvious from the cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.project.column_config import ColumnReading
from components._core.types.identifier_columns import to_words
from components._data.columns.categories import describe_variants, find_variants, is_yes_or_no
from components._data.columns.cell_counts import list_texts
from components._data.columns.codes import merges_in_float32
from components._data.columns.dates import ENOUGH, Order, describe_format, find_order, parse_dates
from components._data.columns.missing import LABEL_MARKERS, is_missing
from components._data.columns.numbers import parse_numbers
from components._data.columns.survey import ColumnSurvey
from components._data.columns.times_of_day import parse_times
from pipelines.scaffold.sentinels import Sentinel, find_sentinels
from pipelines.scaffold.table_profile import Column, Profile

_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}.*)?$"
_OFFSET = r"[+\-][0-9]{2}:?[0-9]{2}$"
_EPOCH_FIRST, _EPOCH_LAST = 946_684_800, 2_208_988_800  # 2000 to 2040
_TIME_WORDS = frozenset("time timestamp ts epoch date at when created updated unix".split())
_ZONE_NAME = r"[0-9]\s*(?P<zone>[A-Za-z]{2,5}|\[?[A-Za-z_]+/[A-Za-z_/+\-0-9]+\]?)$"
_MOST_CODES = 200
_MOST_UNITS = 5
_MOST_LISTED = 20
_KINDS = {"date": "a date", "time": "a time of day"}


@dataclass(frozen=True)
class Meaning:
    """What the cells of a column mean.

    Attributes:
        reading: Its entry in `data.columns`; None: none is needed.
        remark: What is special about the cells, such as their unit; empty: nothing.
        findings: What a person should look at, one sentence each.
    """

    reading: ColumnReading | None = None
    remark: str = ""
    findings: tuple[str, ...] = ()


def find_meanings(profile: Profile, label: str, date_order: Order | None = None) -> dict[str, Meaning]:
    """Decide what the cells of each column mean.

    Args:
        profile: The table's profile without entries in `data.columns`.
        label: The column to predict.
        date_order: Order of day, month and year where cells do not say; default: what fits most of them.
    """
    found = {}
    for name, column in profile.columns.items():
        cells = profile.sample[name].drop_null()
        rule = _read_texts if column.type.is_text else _read_numbers
        meaning = _read_label(profile, column) if name == label else rule(profile, column, cells, date_order)
        found[name] = _with_cell_counts(profile, column, meaning)
    return found


def add_cell_counts(meanings: dict[str, Meaning], before: Profile, after: Profile) -> dict[str, Meaning]:
    """Add the cells of texts that became missing when they were read as numbers, dates or times.

    Args:
        meanings: What the cells of each column mean.
        before: The table's profile without entries in `data.columns`, from which the meanings are.
        after: Its profile with them.
    """
    found = dict(meanings)
    for name, meaning in meanings.items():
        if (
            meaning.reading
            and name in after.columns
            and before.columns[name].type.is_text
            and name not in before.readings
        ):
            found[name] = _with_cell_counts(after, before.columns[name], meaning)
    return found


def _read_label(profile: Profile, column: Column) -> Meaning:
    """A label keeps its classes; texts such as `NA` are not a label."""
    if name_of_type := _type_of_numbers(profile, column):
        return Meaning(name_of_type, profile.notes.get(column.name, ""))
    if not column.type.is_text:
        return Meaning()
    variants = find_variants(column.counts)
    findings = tuple(describe_variants(ways) for ways in variants)
    absent = [text for text in profile.absent.texts(column.name) if text.strip() in LABEL_MARKERS]
    reading = ColumnReading(type="category", missing=sorted({text.strip() for text in absent})) if absent else None
    return Meaning(reading, "", findings)


def _type_of_numbers(profile: Profile, column: Column) -> ColumnReading | None:
    """Return the entry of a column whose texts the profile has read as numbers."""
    known = profile.readings.get(column.name)
    if known is None or known.kind != "number":
        return None
    missing = sorted({text.strip() for text in profile.odd.texts(column.name)})
    return ColumnReading(type="number", decimal=known.decimal, missing=missing if len(missing) <= _MOST_LISTED else [])


def _read_numbers(profile: Profile, column: Column, cells: pa.ChunkedArray, date_order: Order | None) -> Meaning:
    if not len(cells):
        return Meaning()
    if column.type.is_whole and (dated := _read_whole_dates(column, cells)):
        return dated
    values = np.asarray(cells.to_numpy(), dtype=np.float64)
    reading, note = _type_of_numbers(profile, column), profile.notes.get(column.name, "")
    sentinels = find_sentinels(values[np.isfinite(values)])
    if clear := [sentinel.value for sentinel in sentinels if sentinel.is_clear]:
        known = reading or ColumnReading(type="number")
        reading = known.model_copy(update={"missing": [*known.missing, *clear]})
    elif pa.types.is_integer(cells.type) and column.distinct <= _MOST_CODES and merges_in_float32(cells):
        remark = f"{column.distinct} codes that float32 cannot tell apart"
        return Meaning(ColumnReading(type="category"), remark)
    return Meaning(reading, note, tuple(map(_describe_sentinel, [column.name] * len(sentinels), sentinels)))


def _describe_sentinel(name: str, sentinel: Sentinel) -> str:
    rows = f"{sentinel.value} ({sentinel.rows:,})"
    if sentinel.is_clear:
        return f"taken as missing: {rows}; no other value is below 0"
    return f"{rows} may mean missing; if so: data.columns, {name}: {{type: number, missing: ['{sentinel.value}']}}"


def _read_whole_dates(column: Column, cells: pa.ChunkedArray) -> Meaning | None:
    """Read whole numbers as compact dates or as seconds since 1970, if all of them can be."""
    texts = cells.unique().cast(pa.string())
    if column.distinct < 3 or not pa.types.is_integer(cells.type):
        return None
    least, most = column.minimum or 0, column.maximum or 0
    if least >= 19000101 and most <= 21001231:
        is_date = parse_dates(texts, "dmy").is_date.mean() >= ENOUGH
        return Meaning(ColumnReading(type="date"), "YYYYMMDD") if is_date else None
    scale = 1_000 if least > _EPOCH_LAST else 1
    if not (_EPOCH_FIRST * scale <= least and most <= _EPOCH_LAST * scale and most > least + 86_400 * scale):
        return None
    seconds = np.asarray(cells.unique().to_numpy()) // scale
    if not (set(to_words(column.name).split()) & _TIME_WORDS or (seconds % 60 == 0).mean() > 0.9):
        return None
    return Meaning(ColumnReading(type="date"), "epoch seconds" if scale == 1 else "epoch milliseconds")


def _read_texts(profile: Profile, column: Column, cells: pa.ChunkedArray, date_order: Order | None) -> Meaning:
    if note := profile.notes.get(column.name):
        return Meaning(ColumnReading(type="category"), note)
    different = pc.utf8_trim_whitespace(cells.unique())
    known = different.filter(pc.invert(is_missing(different)))
    if not len(known):
        return Meaning()
    if dated := _read_dates(profile, column, known, date_order):
        return dated
    if parse_times(known).is_valid().to_numpy(zero_copy_only=False).mean() >= ENOUGH:
        return Meaning(ColumnReading(type="time"), "a time of day, as hours")
    survey = ColumnSurvey()
    for chunk in cells.chunks:
        survey.add(chunk)
    verdict = survey.verdict()
    if verdict.is_number:  # of a format whose files say that it is text
        return Meaning(ColumnReading(type="number", decimal=verdict.decimal), verdict.describe())
    counts = _count_values(cells)
    findings = tuple(describe_variants(ways) for ways in find_variants(counts)) if len(counts) <= _MOST_CODES else ()
    findings += tuple(
        filter(None, [_describe_zones(known), _describe_units(known), _describe_orders(profile, column, None)])
    )
    absent = {text: number for text, number in counts.items() if is_missing(pa.array([text.strip()]))[0].as_py()}
    if absent and len(counts) <= _MOST_CODES:
        names = ", ".join(repr(text) for text in sorted({text.strip() for text in absent}))
        findings += (
            f"{list_texts(absent)} is a category; for missing: data.columns, {column.name}: {{type: category, missing: [{names}]}}",
        )
    return Meaning(None, "yes or no" if is_yes_or_no(counts) else "", findings)


def _describe_zones(known: pa.Array) -> str:
    """Describe times that name different zones; empty: they name none, or all the same."""
    if not pc.all(pc.match_substring_regex(known, _ISO)).as_py():
        return ""
    zones = pc.extract_regex(known, _ZONE_NAME).drop_null().field("zone").unique().to_pylist()
    if len(zones) < 2:
        return ""
    shown = ", ".join(map(repr, sorted(zones)[:3])) + ("" if len(zones) <= 3 else ", ...")
    return f"names different time zones ({shown}), which are not applied: the hours are as written; write offsets such as +09:00"


def _describe_units(known: pa.Array) -> str:
    """Describe numbers in a few different units; empty: they are something else."""
    numbers = parse_numbers(known, ".")
    units = numbers.units.filter(pc.not_equal(numbers.units, ""))
    names = units.unique().to_pylist()
    if len(units) < ENOUGH * len(known) or not 2 <= len(names) <= _MOST_UNITS or len(units) <= _MOST_LISTED:
        return ""
    shown = ", ".join(map(repr, sorted(names)))
    return f"numbers in different units ({shown}), so each is a text of its own: convert them to one unit"


def _describe_orders(profile: Profile, column: Column, order: Order | None) -> str:
    """Describe dates that contradict the order in which they are read, or each other; empty: none does."""
    count = profile.orders.by_column.get(column.name)
    count = count and replace(count, order=order)
    return f"{count.describe()}; {count.remedy(column.name)}" if count and count.is_mixed else ""


def _read_dates(profile: Profile, column: Column, known: pa.Array, date_order: Order | None) -> Meaning | None:
    order, other = find_order(known)
    if date_order is not None and parse_dates(known, date_order).is_date.mean() >= ENOUGH:
        order, other = date_order, None
    dates = parse_dates(known, order)
    if dates.is_date.mean() < ENOUGH:
        return None
    if pc.all(pc.match_substring_regex(known, r"^[0-9]+$")).as_py() and not (dates.family == 2).all():
        return None  # digits alone are a date only as YYYYMMDD
    shown = describe_format(known, order)
    findings = []
    if other:
        wanted = describe_format(known, other)
        findings.append(f"read as {shown}; it could as well be {wanted}: --date-order {other} says so")
    findings += filter(None, [_describe_orders(profile, column, order)])
    is_iso = bool(pc.all(pc.match_substring_regex(known, _ISO)).as_py())
    has_offset = bool(pc.any(pc.match_substring_regex(known, _OFFSET)).as_py()) and bool(dates.has_zone.any())
    if has_offset and not dates.has_zone.all():
        findings.append("some times have an offset from UTC and some have none: those are taken as UTC")
    remark = shown + (", offsets applied: in UTC" if has_offset else "")
    if is_iso and not has_offset and dates.is_date.all():
        return Meaning(None, remark, tuple(findings))
    return Meaning(ColumnReading(type="date", order=order), remark, tuple(findings))


def _count_values(cells: pa.ChunkedArray) -> dict[str, int]:
    counted = cells.value_counts()
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _with_cell_counts(profile: Profile, column: Column, meaning: Meaning) -> Meaning:
    """Add what the cells are that the profile has read as missing."""
    findings = list(meaning.findings)
    if odd := profile.odd.by_column.get(column.name):
        kind = meaning.reading.type if meaning.reading else "number"
        findings.insert(0, f"not {_KINDS.get(kind, 'a number')}, so missing: {list_texts(odd)}")
    if absent := profile.absent.by_column.get(column.name):
        findings.insert(0, f"taken as missing: {list_texts(absent)}")
    return replace(meaning, findings=tuple(findings))
