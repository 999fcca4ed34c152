"""Parquet, safe to read from a store that others may write to; all code imports `pq` from here.

pyarrow before 14.0.1 unpickles extension types that a file brings along, which runs the file's own code
(CVE-2023-47248). pyarrow-hotfix makes it raise RuntimeError instead; newer versions of pyarrow do so themselves.
"""

from __future__ import annotations

import contextlib

import pyarrow.parquet as pq

with contextlib.suppress(ImportError):  # installed beside an old pyarrow only
    import pyarrow_hotfix  # noqa: F401 - the import applies the fix

__all__ = ["pq"]
