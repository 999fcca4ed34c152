"""Checks limits on a request of the Open Inference Protocol before its values become objects or arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from components._predictor.refusals import Refusal
from components.serve.limits import Limits

_BLOCK = 1 << 20
_COMMAS_PER_INPUT = 16
"""Commas between the keys of an input, in its shape and in its parameters."""
_SHOWN = 40


class Bounds:
    """`Limits` for the requests to one model.

    Args:
        limits: Limits of one request; see `Limits.for_model`.
        features: Number of the model's features.
        pictures: Names of those that are pictures, which the length of a body bounds in place of that of a text.
    """

    def __init__(self, limits: Limits, features: int, pictures: Collection[str] = ()) -> None:
        self.limits = limits
        self._values = limits.rows * max(1, features)
        self._commas = self._values + _COMMAS_PER_INPUT * limits.inputs
        self._brackets = limits.json_depth
        self._pictures = frozenset(pictures)

    def check_size(self, body: bytes) -> None:
        """Refuse a JSON body with more values than the allowed rows have; costs nothing for a short body.

        Raises:
            Refusal: `too_many_rows`.
        """
        if len(body) > 2 * self._commas and body.count(b",") > self._commas:
            commas, _ = _structure_of(body)  # commas in texts do not count
            if commas > self._commas:
                raise self._too_many_values(commas)

    def check_depth(self, body: bytes) -> None:
        """Refuse a JSON body with lists and mappings nested too deep.

        Raises:
            Refusal: `over_limit`.
        """
        if body.count(b"[") + body.count(b"{") > self._brackets:
            _, depth = _structure_of(body)
            if depth > self.limits.json_depth:
                message = f"lists and mappings are nested {depth} deep; at most {self.limits.json_depth} are allowed"
                raise Refusal("over_limit", message)

    def check_count(self, count: int, what: str = "inputs") -> None:
        """Refuse too many inputs, or chosen outputs.

        Raises:
            Refusal: `over_limit`.
        """
        if count > self.limits.inputs:
            raise Refusal("over_limit", f"{count} {what} in one request; at most {self.limits.inputs} are allowed")

    def check_names(self, names: Iterable[Any]) -> None:
        """Refuse a name that is too long.

        Raises:
            Refusal: `over_limit`.
        """
        for name in names:
            if isinstance(name, str) and is_longer(name, self.limits.name_bytes):
                message = (
                    f"the name {name[:_SHOWN]!r}... is too long; at most {self.limits.name_bytes} bytes are allowed"
                )
                raise Refusal("over_limit", message)

    def check_id(self, request_id: Any) -> None:
        """Refuse an id that is too long.

        Raises:
            Refusal: `over_limit`.
        """
        if isinstance(request_id, str) and is_longer(request_id, self.limits.id_bytes):
            message = f"the id {request_id[:_SHOWN]!r}... is too long; at most {self.limits.id_bytes} bytes are allowed"
            raise Refusal("over_limit", message)

    def check_rows(self, rows: int) -> None:
        """Refuse too many rows.

        Raises:
            Refusal: `too_many_rows`.
        """
        if rows > self.limits.rows:
            raise Refusal("too_many_rows", f"{rows} rows in one request; at most {self.limits.rows} are allowed")

    def check_texts(self, name: str, values: Any) -> None:
        """Refuse a text value that is too long, in a list of values.

        Raises:
            Refusal: `over_limit`, with the row.
        """
        limit = self.limits.text_bytes if name not in self._pictures else self.limits.body_bytes
        for row, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str | bytes) and is_longer(value, limit):
                message = f"{name!r}, row {row}: the text is longer than the allowed {limit} bytes"
                raise Refusal("over_limit", message)

    def _too_many_values(self, found: int) -> Refusal:
        message = f"about {found} values in one request; {self.limits.rows} rows of this model have {self._values}"
        return Refusal("too_many_rows", message)


def is_longer(text: str | bytes, limit: int) -> bool:
    """Whether a text has more bytes of UTF-8 than allowed; encodes it only where its length does not decide."""
    length = len(text)
    if length > limit:
        return True
    return isinstance(text, str) and 4 * length > limit and len(text.encode("utf-8", "surrogatepass")) > limit


def _structure_of(body: bytes) -> tuple[int, int]:
    """Count the commas outside of texts, and the nesting depth of lists and mappings, in JSON that may be invalid.

    Works on vectors, block by block: a tenth of a second for 16 MB.
    """
    plain = body.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    commas = deepest = depth = 0
    inside = False
    for start in range(0, len(plain), _BLOCK):
        block = np.frombuffer(plain, np.uint8, min(_BLOCK, len(plain) - start), start)
        quotes = np.logical_xor.accumulate(block == ord('"')) ^ inside
        inside = bool(quotes[-1])
        outside = ~quotes
        commas += int(np.count_nonzero((block == ord(",")) & outside))
        opened = ((block == ord("[")) | (block == ord("{"))) & outside
        closed = ((block == ord("]")) | (block == ord("}"))) & outside
        if opened.any() or closed.any():
            steps = np.cumsum(opened.astype(np.int32) - closed.astype(np.int32), dtype=np.int32)
            deepest = max(deepest, depth + int(steps.max()))
            depth += int(steps[-1])
    return commas, deepest
