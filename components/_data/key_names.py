"""Errors of sources and formats name the keys of `data`; where another key, or an option, stands for one, they name that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from components._core.errors import NaruError


@contextmanager
def errors_name(names: Mapping[str, str]) -> Iterator[None]:
    """Replace names in errors: in where they were found, and in the remedy.

    Args:
        names: What a person wrote instead, by the key or the words in the error; of two that fit, the longer one is replaced.
    """
    try:
        yield
    except NaruError as error:
        if not names:
            raise
        longest = sorted(names, key=len, reverse=True)
        pattern = re.compile(rf"\b({'|'.join(map(re.escape, longest))})\b")
        where, remedy = (pattern.sub(lambda found: names[found[1]], text) for text in (error.where, error.remedy))
        if (where, remedy) == (error.where, error.remedy):
            raise
        raise type(error)(error.message, where=where, remedy=remedy) from error
