"""Who runs a command, as far as this machine says: the system's user, the e-mail address of git, the subject of the KFP server's token."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components._core.store.ledger import who
from components._kfp.connection import TOKEN, TOKEN_PATH
from pipelines.git import run_git

_LONGEST = 200


def find_identity(folder: Path) -> dict[str, str]:
    """Find who runs this command: `user`, `email` and `subject`, those that are known.

    Nothing of it is verified here: who may write to the store may also write another name. The permissions of the store are what holds.

    Args:
        folder: The project's folder, whose git configuration is read.
    """
    claims = _read_claims()
    found = {
        "user": who(),
        "email": run_git(folder, "config", "user.email"),
        "subject": str(claims.get("sub") or ""),
        "token_email": str(claims.get("email") or ""),
    }
    return {name: " ".join(value.split())[:_LONGEST] for name, value in found.items() if value.strip()}


def is_allowed(identity: Mapping[str, str], allowed: Sequence[str]) -> bool:
    """Return whether one of the names of a person is in a list; an empty list allows everyone."""
    return not allowed or bool(set(identity.values()) & set(allowed))


def _read_claims() -> dict[str, Any]:
    """Read what the token of the KFP server says of its holder; empty without one, or when it is no JSON Web Token."""
    try:
        file = os.environ.get(TOKEN_PATH, "")
        token = Path(file).read_text(encoding="utf-8") if file else os.environ.get(TOKEN, "")
        body = token.strip().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (OSError, ValueError, IndexError):
        return {}
    return claims if isinstance(claims, dict) else {}
