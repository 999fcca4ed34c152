"""The label schema of a project: what annotators are asked, and which answers are allowed (docs/labelling.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from components._core.project.label_config import Labelling
from components._core.suggestions import suggest

ITEM = "naru_item"
"""Field of an item's identity in every work list and export."""
PROJECT = "naru_project"
SCHEMA = "naru_schema"
RESERVED = "naru_"
"""Beginning of the names of such fields: no table of rows to label may have a column with it."""


@dataclass(frozen=True)
class LabelSchema:
    """What may be answered.

    Attributes:
        project: The project's name.
        label: The label's column.
        config: The section `labels`.
        exclude: Columns that annotators do not see unless `labels.show` names them.
    """

    project: str
    label: str
    config: Labelling
    exclude: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """What annotators are asked."""
        return self.config.question or f"{self.label}?"

    def parse_label(self, value: object) -> str:
        """Return a label as it is kept: a class, or a number in its shortest form.

        Raises:
            ValueError: When the schema does not allow it; the message says what it allows.
        """
        text = str(value).strip()
        if self.config.classes:
            if text in self.config.classes:
                return text
            raise ValueError(f"{text[:80]!r} is not one of labels.classes; {suggest(text[:80], self.config.classes)}")
        return self._parse_number(text)

    def _parse_number(self, text: str) -> str:
        low, high = self.config.min, self.config.max
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{text[:80]!r} is not a number") from None
        if not math.isfinite(number) or number < (-math.inf if low is None else low):
            raise ValueError(
                f"{text[:80]} is not allowed: the smallest number is {'any finite one' if low is None else low}"
            )
        if high is not None and number > high:
            raise ValueError(f"{text[:80]} is above labels.max, {high:g}")
        return repr(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
