"""Names of hyperparameters in MLflow: invalid and colliding names are found before a model is trained."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

_PREFIX = "hyperparameters."
_LONGEST = 250 - len(_PREFIX)
"""Maximum number of characters in a name; MLflow's longest key is 250."""
_SHOWN = 40
MODEL_KIND = "model.kind"
"""The name, beside the hyperparameters that a search over kinds of model has found, of the kind that they belong to."""


def stored_name(name: str) -> str:
    """Convert any name to one that MLflow allows: letters, digits, `_`, `.`, `-`, `/` and blanks."""
    return re.sub(r"[^\w.\-/ ]", "_", name)


def stored_hyperparameter(name: str) -> str:
    """Return the key of a hyperparameter among a run's parameters."""
    return stored_name(f"{_PREFIX}{name}")


def find_unusable(names: Iterable[str]) -> str:
    """Describe the first name that cannot be stored, in a sentence; empty when all can."""
    seen: dict[str, str] = {}
    for name in names:
        stored = stored_hyperparameter(name)
        if name == MODEL_KIND:
            return f"the name {name!r} is reserved for the kind of model"
        if not name.strip():
            return f"the name {name!r} is empty"
        if len(name) > _LONGEST:
            return f"the name {name[:_SHOWN]!r}... has {len(name)} characters; MLflow stores {_LONGEST} at most"
        if posixpath.normpath(stored) != stored:
            return f"the name {name!r} is a path that MLflow does not store: no '//', '/./', '/../' or '/' at its end"
        if other := seen.get(stored):
            return f"{other!r} and {name!r} are the same name in MLflow, which stores {stored.removeprefix(_PREFIX)!r}: rename one"
        seen[stored] = name
    return ""
