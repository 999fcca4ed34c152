"""Where a fit can go on after it was killed: one file per fit in the store, named by the fingerprint of all that goes into it.

<store>/<project>/checkpoints/<fingerprint>.npz

A fit that ends removes its own, and those that nobody has taken up for a week.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from components._core.store.filesystems import open_filesystem
from components._core.store.object_store import put
from components._frameworks.contract import Progress

_STATE = "told"
"""Name of the counters in the file; an old name that stays, so that a killed fit of an earlier version goes on."""

_ABANDONED_SECONDS = 7 * 24 * 3600.0
"""A fit that goes on writes after every epoch; what is older than this, nobody waits for."""


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of one fit.

    Attributes:
        uri: Where it lies; a path or any URL that fsspec knows.
    """

    uri: str

    @classmethod
    def of(cls, store: str, project: str, fingerprint: str) -> Checkpoint:
        """The checkpoint of the fit with that fingerprint."""
        return cls(f"{store.rstrip('/')}/{project}/checkpoints/{fingerprint}.npz")

    def load(self) -> Progress | None:
        """Load the progress of the fit; None when there is no checkpoint, or the one that is there cannot be read."""
        files, path = open_filesystem(self.uri)
        try:
            with np.load(io.BytesIO(files.cat_file(path)), allow_pickle=False) as kept:
                state = json.loads(bytes(kept[_STATE]).decode())
                variables = [kept[f"variable_{number}"] for number in range(state["variables"])]
                best = [kept[f"best_{number}"] for number in range(state["best"])]
            return Progress(state["epochs"], state["steps"], state["best_epoch"], variables, best)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print(
                f"naru: train: a damaged checkpoint is ignored, training starts from the beginning: {error}",
                file=sys.stderr,
            )
            return None

    def save(self, progress: Progress) -> None:
        """Keep it in one step as others see it. Errors as in `put`."""
        state = {
            "epochs": progress.epochs,
            "steps": progress.steps,
            "best_epoch": progress.best_epoch,
            "variables": len(progress.variables),
            "best": len(progress.best),
        }
        named = {f"variable_{number}": value for number, value in enumerate(progress.variables)}
        named |= {f"best_{number}": value for number, value in enumerate(progress.best)}
        content = io.BytesIO()
        np.savez(content, **{_STATE: np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)}, **named)
        put(content.getvalue(), self.uri, durable=False)

    def remove(self) -> None:
        """Forget it: the fit has ended."""
        files, path = open_filesystem(self.uri)
        with contextlib.suppress(FileNotFoundError):  # never saved, or another run that made the same fit was first
            files.rm_file(path)

    def remove_abandoned(self) -> None:
        """Forget other fits of the project that were given up: their inputs have changed, so none will go on from there."""
        files, path = open_filesystem(self.uri)
        with contextlib.suppress(OSError):  # there are none, or another run is at it; they harm nobody
            for entry in files.ls(path.rpartition("/")[0], detail=True):
                if _is_abandoned(entry):
                    files.rm_file(entry["name"])


def _is_abandoned(entry: dict[str, Any]) -> bool:
    # a file whose writer was killed ends otherwise: `.x.npz.<16 hex>`, and in earlier releases `x.npz.<8 hex>.partial`
    name = str(entry["name"]).rpartition("/")[2]
    ours = name.endswith(".npz") or ".npz." in name
    return ours and time.time() - (entry.get("mtime") or time.time()) > _ABANDONED_SECONDS
