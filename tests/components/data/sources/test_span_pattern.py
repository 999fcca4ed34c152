"""Patterns of sources: which placeholders make a span, and which names match."""

from __future__ import annotations

import pytest

from components._core.errors import ConfigError
from components._data.sources.span_pattern import match_segment, parse_pattern, unit_of


@pytest.mark.parametrize(
    ("source", "unit"),
    [
        ("data/flights.csv", None),
        ("data/flights-{span}.csv", "number"),
        ("{span}/flights.csv", "number"),
        ("s3://b/{YYYY}/{MM}.csv", "month"),
        ("s3://b/date={YYYY}-{MM}-{DD}/", "day"),
        ("{DD}.{MM}.{YYYY}.csv", "day"),
        ("{YYYY}{MM}{DD}{HH}.csv", "hour"),
        ("flights-{YYYY}.csv", "year"),
        ("flights-v{VERSION}.csv", None),
    ],
)
def test_the_unit_of_spans_is_the_finest_placeholder(source: str, unit: str | None) -> None:
    found = unit_of(source)
    assert (found.name if found else None) == unit


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{span}/{YYYY}.csv", "both {span} and {YYYY}"),
        ("{MM}-{DD}.csv", "without {YYYY}"),
        ("{YYYY}-{DD}.csv", "without {MM}"),
        ("{yyyy}.csv", "write {YYYY}"),
        ("{Span}.csv", "write {span}"),
        ("t-{span}-v{version}.csv", "write {VERSION}"),
    ],
)
def test_placeholders_that_make_no_span_are_refused(source: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_pattern(source)
    assert message in str(refused.value) and "data.source" in str(refused.value)


def test_other_braces_are_part_of_a_name() -> None:
    assert parse_pattern("data/{region}.csv") is None


def test_a_placeholder_that_is_repeated_has_one_value() -> None:
    assert match_segment("{YYYY}-{MM}.csv", "2024-06.csv", {"YYYY": "2024"}) == {"YYYY": "2024", "MM": "06"}
    assert match_segment("{YYYY}-{MM}.csv", "2023-06.csv", {"YYYY": "2024"}) is None
    assert match_segment("{YYYY}-{YYYY}", "2024-2024", {}) == {"YYYY": "2024"}
    assert match_segment("{YYYY}-{YYYY}", "2024-2023", {}) is None


@pytest.mark.parametrize("name", ["t-1.csv.bak", "t-x.csv", "at-1.csv", "t-.csv", "t-\u0661.csv"])
def test_other_names_do_not_match(name: str) -> None:
    assert match_segment("t-{span}.csv", name, {}) is None
