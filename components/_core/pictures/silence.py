"""Pillow writes nothing to the terminal: what it and its libraries warn of is refused here, or harmless."""

from __future__ import annotations

import ctypes
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import PIL

_PILLOW = r"PIL\."


def silence_pillow() -> None:
    """Show no warning of Pillow, and no message of the libtiff that its wheel brings."""
    # not `catch_warnings`, which changes what other threads see
    if not any(found[0] == "ignore" and getattr(found[3], "pattern", "") == _PILLOW for found in warnings.filters[:3]):
        warnings.filterwarnings("ignore", module=_PILLOW)
    _silence_libtiff()


@cache
def _silence_libtiff() -> None:
    """Set libtiff's handler of errors to none: Pillow has no setting for that, and raises an error of its own anyway."""
    folder = Path(PIL.__file__).parent
    for library in [*folder.parent.glob("pillow.libs/libtiff*.so*"), *folder.glob(".dylibs/libtiff*.dylib")]:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).TIFFSetErrorHandler(None)
