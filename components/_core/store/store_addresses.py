"""Addresses of what lies in the store, as the ledger keeps them: relative to the store, which may be moved."""

from __future__ import annotations

from components._core.errors import NaruError
from components._core.store.filesystems import open_filesystem
from components._core.store.object_store import absolute_uri

_STORE = "store:"
_MODELS = "/models/"


def shorten(uri: str, store: str) -> str:
    """`store:path` for what lies in the store; any other address as it is."""
    for root in (store.rstrip("/"), absolute_uri(store).rstrip("/")):
        if uri.startswith(f"{root}/"):
            return _STORE + uri[len(root) + 1 :]
    return uri


def resolve(kept: str, store: str, project: str) -> str:
    """The whole address of what `shorten` made, or of what an earlier Naru kept.

    An earlier Naru kept whole addresses. One that points out of this store is of a store that was moved or copied, when this
    one holds the same part of the same version: that one is meant then, even if the old place is still there.
    """
    root = absolute_uri(store).rstrip("/")
    if kept.startswith(_STORE):
        return f"{root}/{kept.removeprefix(_STORE)}"
    marker = f"/{project}{_MODELS}"
    if marker not in kept or shorten(kept, store) != kept:
        return kept
    here = f"{root}{marker}{kept.rpartition(marker)[2]}"
    return here if _exists(here) else kept


def within_project(uri: str) -> str:
    """The part of an address that stays when the store moves: what is below the project's models."""
    return uri.rpartition(_MODELS)[2]


def _exists(uri: str) -> bool:
    try:
        filesystem, path = open_filesystem(uri)
        return bool(filesystem.exists(path))
    except (
        OSError,
        ImportError,
        ValueError,
        NaruError,
    ):  # where it cannot be looked for, the address stays what it was
        return False
