"""Names in a SavedModel: of the function that is served, and of the tensors that it takes. Without TensorFlow."""

from __future__ import annotations

import keyword
import re
import string
from collections import Counter

from components._core.types.signature import Feature

SERVING = "serving_default"
_SPELT_OUT = "column_"
_LOOKS_SPELT_OUT = re.compile(_SPELT_OUT + r"(?:[a-z0-9]|_[0-9a-f]+_)*$", re.IGNORECASE)


def tensor_names(features: tuple[Feature, ...]) -> dict[str, str]:
    """What each feature is called in the SavedModel's signature, by the feature's name.

    That is its own name where TensorFlow can take it: where Python could name an argument so, it does not begin with an
    underscore (TensorFlow would leave that out), and no other differs in case only. Any other is spelt out, as in
    `column_sepal_20_length` for `sepal length`; so is one that looks spelt out itself.
    """
    lowered = Counter(feature.name.lower() for feature in features)
    own = {name for name in (feature.name for feature in features) if _is_argument(name) and lowered[name.lower()] == 1}
    return {feature.name: feature.name if feature.name in own else _spelt_out(feature.name) for feature in features}


def _is_argument(name: str) -> bool:
    plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    return plain and name != "self" and not name.startswith("_") and not _LOOKS_SPELT_OUT.match(name)


def _spelt_out(name: str) -> str:
    plain = string.ascii_lowercase + string.digits
    return _SPELT_OUT + "".join(sign if sign in plain else f"_{ord(sign):x}_" for sign in name)
