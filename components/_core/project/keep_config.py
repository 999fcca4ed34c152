"""The section of the project file about what `naru clean` keeps of what grows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from components._core.project.config_types import Section
from components._core.project.durations import to_timedelta

_LARGEST = 1_000_000


class KeepRule(NamedTuple):
    """What is kept: the newest ones by number, those up to an age, or with neither everything."""

    newest: int | None = None
    age: timedelta | None = None

    def __str__(self) -> str:
        if self.newest is not None:
            return f"the newest {self.newest:,}"
        return f"up to {_describe_age(self.age)}" if self.age else "all"


def _describe_age(age: timedelta) -> str:
    days = age / timedelta(days=1)
    return f"{days:,g} days" if days >= 2 else f"{age / timedelta(hours=1):,.4g} hours"


def parse_keep(value: Any) -> KeepRule:
    """Parse a rule: a whole number of the newest ones, an age as in `30d`, or `all`.

    Raises:
        ValueError: When it is none of them.
    """
    if value == "all":
        return KeepRule()
    text = str(value).strip()
    if not isinstance(value, bool) and text.isdecimal() and text.isascii():
        if not 1 <= int(text) <= _LARGEST:
            raise ValueError(f"found {text[:80]}; allowed: 1 to {_LARGEST:,}")
        return KeepRule(newest=int(text))
    if re.fullmatch(r"[0-9.]+\s*m", text):
        raise ValueError(
            f"found {text[:80]!r}, which may be minutes or months; allowed: an age in h, d or w, as in 180d"
        )
    try:
        age = to_timedelta(text) if isinstance(value, str) else timedelta()
    except ValueError:
        age = timedelta()
    if not age:
        raise ValueError(f"found {text[:80]!r}; allowed: a number of the newest ones, an age as in 30d, or all")
    return KeepRule(age=age)


def _check_any(value: Any) -> Any:
    parse_keep(value)
    return value


def _check_age(value: Any) -> Any:
    if parse_keep(value).newest is not None:
        raise ValueError(f"found {value}; allowed: an age as in 30d, or all")
    return value


Amount = Annotated[int | str, BeforeValidator(_check_any)]
Age = Annotated[str, BeforeValidator(_check_age)]


class Keep(Section):
    """What `naru clean` keeps: the newest by number (`20`), those up to an age (`30d`), or `all` (docs/operations.md)."""

    runs: Annotated[
        Amount,
        Field(
            description="Runs on this machine. Those of deployed versions, of versions that wait for an approval and of triggers in flight, "
            "and the last one that succeeded, stay anyway."
        ),
    ] = 20
    cluster_runs: Annotated[
        Amount, Field(description="Ended runs of each of the project's pipelines on a KFP server, with `--cluster`.")
    ] = 100
    results: Annotated[
        Amount,
        Field(
            description="Results of the monitor. The newest 500, and those that a trigger's record names, stay anyway."
        ),
    ] = "90d"
    requests: Annotated[
        Age,
        Field(
            description="Hours of the request log in the project's own folder, and of the lines of live tests that have ended; those that the monitor or "
            "the feedback has yet to read stay."
        ),
    ] = "all"
    counts: Annotated[
        Age, Field(description="Count files of the monitor; those that it compares a window with stay anyway.")
    ] = "400d"
    predictions: Annotated[Age, Field(description="Unfinished batches of `naru predict`.")] = "7d"
    notices: Annotated[Age, Field(description="Marks of notices that were sent; 37 days stay anyway.")] = "60d"
