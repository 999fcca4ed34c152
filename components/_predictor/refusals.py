"""Refusals: why a request is not answered, in messages that are safe for the client, without a traceback or a library's text.

missing_feature   400   a feature is absent, or a value is missing where the model needs one
unknown_feature   400   a name that the model does not take
wrong_type        400   a value that is not of the feature's type
wrong_shape       400   not one value per row, or features of different lengths
not_finite        400   an infinity, or a number too large for the feature's type
bad_picture       400   not a picture, a damaged one, or one of a format that is not supported
over_limit        400   too many inputs, or a name, an id or a text that is too long, or lists nested too deep
bad_parameter     400   a parameter that is not supported, or data that is not what its parameter says
bad_encoding      400   a body that does not unpack as its Content-Encoding says
picture_too_large 413   a picture of more bytes or pixels than the model decodes
too_many_rows     413   more rows, or values, than one request may have
too_large         413   a body of more bytes than one request may have, as sent or unpacked
media_type        415   a Content-Type or a Content-Encoding that is not supported
too_busy          429   the server is at its concurrency limit; the same request may succeed in a moment
model_failed      500   the request was valid and the model failed; details are in the server's log only
"""

from __future__ import annotations

from typing import Literal

from components._core.errors import DataError

Code = Literal[
    "missing_feature",
    "unknown_feature",
    "wrong_type",
    "wrong_shape",
    "not_finite",
    "bad_picture",
    "over_limit",
    "bad_parameter",
    "bad_encoding",
    "picture_too_large",
    "too_many_rows",
    "too_large",
    "media_type",
    "too_busy",
    "model_failed",
]
STATUS: dict[Code, int] = {
    "missing_feature": 400,
    "unknown_feature": 400,
    "wrong_type": 400,
    "wrong_shape": 400,
    "not_finite": 400,
    "bad_picture": 400,
    "over_limit": 400,
    "bad_parameter": 400,
    "bad_encoding": 400,
    "picture_too_large": 413,
    "too_many_rows": 413,
    "too_large": 413,
    "media_type": 415,
    "too_busy": 429,
    "model_failed": 500,
}


class Refusal(DataError):
    """A request that is not answered.

    Args:
        code: One of the codes in the module's docstring.
        message: What is wrong and what is allowed; safe to show to the client.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS[code]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
