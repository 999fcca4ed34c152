"""Processes that permissions hold for: root passes them by, so a child of root lays down the right to do so."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

_PR_CAPBSET_DROP = 24
_PASSING_BY = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def lay_down_rights() -> Callable[[], None] | None:
    """What a child calls before its program starts; None: it has none to lay down. Skips the test where it cannot."""
    if os.geteuid():
        return None
    try:
        subprocess.run([sys.executable, "-c", ""], preexec_fn=_drop, check=True)
    except subprocess.SubprocessError:
        pytest.skip("root cannot lay down its rights here, and permissions do not hold for root")
    return _drop


def _drop() -> None:
    for capability in _PASSING_BY:
        if ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise PermissionError
