"""Whether the key of an A/B test has values enough: rows of one value go to one version, and a version needs many of them to be judged."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from components._core.errors import UnavailableError
from components._core.project.live_test_config import AbTest
from components._core.request_log.answered_lines import BATCH
from components._core.request_log.hours import list_closed_hours, list_objects, read_lines
from components._core.request_log.value_hashes import ValueHasher
from components.deploy.live_test.significance import LEAST_UNITS, estimate_distinct

_LOOK_BACK, _HOUR = timedelta(days=7), timedelta(hours=1)
_MOST_REQUESTS = 10_000
_FEWEST_REQUESTS = 100
"""Of fewer requests nothing is said of the values that were not among them."""


def needed_values(test: AbTest) -> int:
    """Return how many values of the key a test needs, for `LEAST_UNITS` of them to be assigned to either version on average."""
    return math.ceil(LEAST_UNITS / min(test.share, 1 - test.share))


def describe_few_values(requests: Mapping[str, int], test: AbTest, what: str) -> str:
    """Return a warning where the key has too few values; empty where it has enough, has none, or too few requests tell.

    Args:
        requests: Number of requests by value of the key; one without a value is a value of its own, as it is assigned by its id.
        test: The test.
        what: What the requests are, as in `requests of the log`.
    """
    total, needed = sum(requests.values()), needed_values(test)
    if not test.key or total < _FEWEST_REQUESTS or estimate_distinct(requests.values()) >= needed:
        return ""
    return (
        f"{test.key!r} (serve.ab.key) has {len(requests):,} values in {total:,} {what}, and the test needs about {needed:,}, {LEAST_UNITS} of each version: "
        "it will end inconclusive; name a feature with more values, or leave the key out"
    )


def warn_of_few_values(uri: str, now: datetime, test: AbTest, rows: pa.Table) -> str:
    """Return a warning where the key has too few values in the request log; where that has few requests, in rows of the version.

    Args:
        uri: Folder of the log.
        now: The present.
        test: The test.
        rows: Rows with the features.

    Raises:
        ConfigError: Without permission to read the log.
    """
    if not test.key:
        return ""
    try:
        logged = _count(_latest_values(uri, now, test.key))
    except UnavailableError:
        logged = Counter()
    if logged.total() >= _FEWEST_REQUESTS:
        return describe_few_values(logged, test, "requests of the log")
    values = rows[test.key].to_pylist() if test.key in rows.column_names else []
    return describe_few_values(_count(iter(values)), test, "test rows")


def _count(values: Iterator[Any]) -> Counter[str]:
    """Count values as servers tell them apart: 7, 7.0 and "7" are one, and a missing one is by itself."""
    hasher = ValueHasher(b"")
    hashes = ((hasher.hash([value])[0], place) for place, value in enumerate(values))
    return Counter(f"{place}" if found == hasher.prefix else found for found, place in hashes)


def _latest_values(uri: str, now: datetime, key: str) -> Iterator[Any]:
    """Yield the key's value in the first row of the latest requests."""
    requests = 0
    for hour in reversed(list_closed_hours(uri, now + 2 * _HOUR, settle_seconds=0.0, since=now - _LOOK_BACK)):
        for found in reversed(list_objects(uri, hour)):
            for line in read_lines(found):
                if requests >= _MOST_REQUESTS:
                    return
                try:
                    raw = json.loads(line)
                    if "inputs" not in raw or raw.get("source") == BATCH:
                        continue
                    value = (raw["inputs"].get(key) or [None])[0]
                except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                    continue
                requests += 1
                yield value if isinstance(value, str | int | float) else None
