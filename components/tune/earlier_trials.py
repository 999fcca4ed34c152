"""Good values of earlier searches of a project, kept in the store for the next one.

<store>/<project>/searches/<fingerprint of columns, task and spaces>.json    the last ten searches, the oldest first

Only searches of other rows that came before are used: a search that is repeated on the same rows starts from the same values, and so finds
the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components._core.errors import NaruError
from components._core.files import dump_json, fingerprint_of
from components._core.store.object_store import put, read_bytes
from components.tune.candidates import Candidate, Values

_KEPT = 10
_LARGEST = 1 << 20
"""Bytes of the file that are read; it has some thousands."""


@dataclass(frozen=True)
class EarlierTrials:
    """The earlier searches over the same columns and spaces.

    Attributes:
        uri: Where they are kept.
        rows: Fingerprint of the rows of this search.
        searches: What is kept, the oldest first.
    """

    uri: str
    rows: str
    searches: list[dict[str, Any]]

    @classmethod
    def load(cls, store: str, project: str, fingerprint: str, rows: str) -> EarlierTrials:
        """Load the searches of a project; none when there are none, or the file cannot be read.

        Args:
            store: Address of the object store.
            project: The project's name.
            fingerprint: Of what two searches must share.
            rows: Fingerprint of the rows of this search.
        """
        uri = f"{store.rstrip('/')}/{project}/searches/{fingerprint}.json"
        content = read_bytes(uri, _LARGEST)
        if content is None:
            return cls(uri, rows, [])
        try:
            searches = json.loads(content)
            known = [{"rows": str(each["rows"]), "best": [_parse(one) for one in each["best"]]} for each in searches]
        except (ValueError, KeyError, TypeError) as error:
            print(f"naru: tune: the damaged file of earlier searches {uri} is ignored: {error}", file=sys.stderr)
            return cls(uri, rows, [])
        return cls(uri, rows, known)

    def best(self) -> list[tuple[str, Values]]:
        """Return kinds and values of the last search before this one on other rows, the best first."""
        before = self.searches
        places = [place for place, search in enumerate(before) if search["rows"] == self.rows]
        before = before[: places[0]] if places else before
        return [(one["kind"], one["values"]) for one in before[-1]["best"]] if before else []

    def save(self, best: Sequence[tuple[str, Values]]) -> None:
        """Keep the best kinds and values of this search, in the place of one on the same rows; a store that refuses them is reported."""
        made = {"rows": self.rows, "best": [{"kind": kind, "values": values} for kind, values in best]}
        searches = [made if search["rows"] == self.rows else search for search in self.searches]
        searches = searches if made in searches else [*searches, made]
        try:
            put(dump_json(searches[-_KEPT:]).encode(), self.uri, durable=False)
        except NaruError as error:  # the search itself is done, and worth more than where the next one begins
            print(f"naru: tune: the next search does not begin with these values: {error.message}", file=sys.stderr)


def fingerprint_spaces(task: str, columns: Sequence[object], candidates: Sequence[Candidate]) -> str:
    """Fingerprint what two searches must share: the task, the columns, the kinds and their spaces."""
    spaces = [
        f"{candidate.kind} {name} {space.model_dump_json()}"
        for candidate in candidates
        for name, space in sorted(candidate.space.items())
    ]
    return fingerprint_of([task, *map(repr, columns), *spaces])


def _parse(one: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(one["kind"], str) or not isinstance(one["values"], dict):
        raise TypeError("an entry is not a kind with its values")
    return {"kind": one["kind"], "values": one["values"]}
