"""Recognise columns by name that identify something: a row, a person, an order."""

from __future__ import annotations

import re

_IDENTIFIERS = {
    "id",
    "ids",
    "uuid",
    "guid",
    "rowid",
    "pk",
    "idx",
    "rownum",
    "ssn",
    "email",
    "phone",
    "url",
    "uri",
    "href",
}
_INDEXES = {"index", "key", "row", "number", "no", "nr", "unnamed 0"}
_COUNTERS = {"no", "nr", "num", "number", "key", "code", "name", "ref"}
_ENTITIES = {
    *("patient", "person", "subject", "participant", "respondent", "student", "pupil", "employee", "worker", "member"),
    *("customer", "client", "user", "visitor", "household", "family", "account", "card", "contract", "policy"),
    *("session", "device", "machine", "sensor", "vehicle", "animal", "site", "store", "company", "case"),
}
_PUNCTUATION = {ord(mark): " " for mark in "!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~"}


def to_words(name: str) -> str:
    """Split a name into lower-case words: `petalWidth_cm` is `petal width cm`."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ")
    return " ".join(apart.lower().translate(_PUNCTUATION).split())


def is_named_identifier(name: str) -> bool:
    """Return whether a column is named like an identifier: `id`, `order_id`, `uuid`, `index`."""
    words = to_words(name).split()
    return bool(words) and (words[-1] in _IDENTIFIERS or words[0] in _IDENTIFIERS or " ".join(words) in _INDEXES)


def is_named_group(name: str) -> bool:
    """Return whether a column is named like a group of rows: `customer_id`, `patient_no`, `session`, `user key`."""
    words = to_words(name).split()
    if not words:
        return False
    of_entity = words[0] in _ENTITIES and (len(words) == 1 or words[-1] in _COUNTERS)
    return of_entity or is_named_identifier(name)
