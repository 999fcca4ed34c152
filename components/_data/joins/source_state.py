"""The state of all that ingest reads: the source's files, the second tables of `data.join`, and the files of pictures that rows name."""

from __future__ import annotations

from components._core.files import fingerprint_of
from components._core.project.data_config import Data
from components._data.joins.joined_columns import errors_name_the_join
from components._data.sources.picture_state import fingerprint_pictures
from components._data.sources.registry import open_source


def fingerprint_state(data: Data) -> str:
    """Return the fingerprint of the state of a project's source, and of second tables and files of pictures if there are any.

    Args:
        data: The project's `data` section, with locations that can be read from here.

    Raises:
        NaruError: As `Source.fingerprint`; of a second table with the key of its join.
    """
    found = open_source(data.source, data.missing_spans, data.sql).fingerprint(data.spans)
    seconds = []
    for number, join in enumerate(data.join):
        with errors_name_the_join(number):
            seconds.append(open_source(join.source, "fail", join.sql).fingerprint("all"))
    others = [*seconds, *fingerprint_pictures(data)]
    return fingerprint_of([found, *others]) if others else found
