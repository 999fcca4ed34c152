"""The words of a text as its parts; neighbouring words of a long text are one part."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from components.explain.value_parts import MOST_PARTS, DividedValue

_WORD = re.compile(r"\S+")


def divide_text(text: str, most: int = MOST_PARTS) -> DividedValue:
    """Divide a text into words, or into runs of as many words each as make `most` parts at most.

    Words are what blanks separate, so that it holds for every writing with blanks; a text without any, as in Chinese or Japanese, is
    divided into runs of characters.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    if len(words) == 1 and len(text) > 1 and not text.isascii():
        words = [(place, place + 1) for place in range(*words[0])]
    run = -(-len(words) // most) if words else 1
    spans = [(words[first][0], words[min(first + run, len(words)) - 1][1]) for first in range(0, len(words), run)]
    ends = [start for start, _ in spans[1:]] + [len(text)]

    def cover(seen: NDArray[np.bool_]) -> str:
        """Leave out the parts that are not seen, each with the blanks behind it."""
        head = text[: spans[0][0]] if spans else text
        kept = (text[start:end] for (start, _), end, is_seen in zip(spans, ends, seen, strict=True) if is_seen)
        return head + "".join(kept)

    return DividedValue(tuple(text[start:end] for start, end in spans), cover)
