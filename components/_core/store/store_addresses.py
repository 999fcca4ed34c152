"""Addresses in the store, as the ledger keeps them: relative to the store, which may be moved."""

from __future__ import annotations

from components._core.errors import NaruError
from components._core.store.filesystems import open_filesystem
from components._core.store.object_store import absolute_uri

_STORE = "store:"
_MODELS = "/models/"


def shorten(uri: str, store: str) -> str:
    """Shorten an address within the store to `store:path`; any other address stays as it is."""
    for root in (store.rstrip("/"), absolute_uri(store).rstrip("/")):
        if uri.startswith(f"{root}/"):
            return _STORE + uri[len(root) + 1 :]
    return uri


def resolve(kept: str, store: str, project: str) -> str:
    """Resolve an address made by `shorten`, or kept by an earlier Naru, to an absolute one.

    An earlier Naru kept absolute addresses. If one points outside this store, and this store has the same part of the
    same version, the store was moved or copied: the part in this store is used, even if the old location still exists.
    """
    root = absolute_uri(store).rstrip("/")
    if kept.startswith(_STORE):
        return f"{root}/{kept.removeprefix(_STORE)}"
    marker = f"/{project}{_MODELS}"
    if marker not in kept or shorten(kept, store) != kept:
        return kept
    here = f"{root}{marker}{kept.rpartition(marker)[2]}"
    return here if _exists(here) else kept


def triggers_folder(store: str, project: str) -> str:
    """Return the folder of the log of a project's triggers."""
    return f"{store.rstrip('/')}/{project}/triggers"


def within_project(uri: str) -> str:
    """Return the part of an address that is stable when the store moves: the path below the project's models."""
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
    ):  # if it cannot be checked, the address stays unchanged
        return False
