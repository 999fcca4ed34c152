"""A Parquet file of the store never executes code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._core.examples.samples import Sample
from components._core.project.data_config import Data
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source

REPOSITORY = Path(__file__).parents[4]
_CRAFT = """
import os, sys
import pyarrow as pa
import pyarrow.parquet as pq

class Hostile(pa.PyExtensionType):
    def __init__(self):
        super().__init__(pa.int64())
    def __reduce__(self):
        return os.mkdir, (sys.argv[2],)

storage = pa.array([1, 2])
pq.write_table(pa.table({"in:a": pa.ExtensionArray.from_storage(Hostile(), storage)}), sys.argv[1])
pq.read_table(sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(pa, "PyExtensionType"), reason="this pyarrow has no pickled types")
def test_a_pickled_type_in_a_sample_is_refused_and_does_not_run(tmp_path: Path) -> None:
    sample, ran = tmp_path / "sample.parquet", tmp_path / "ran"
    subprocess.run([sys.executable, "-c", _CRAFT, sample, ran], check=False, capture_output=True)
    if ran.is_dir():  # on an old pyarrow, which shows that the file is as hostile as it is meant to be
        ran.rmdir()
    with pytest.raises(DataError, match="cannot be read"):
        Sample.load(sample)
    assert not ran.exists()


@pytest.mark.skipif(not hasattr(pa, "PyExtensionType"), reason="this pyarrow has no pickled types")
def test_a_pickled_type_in_a_source_is_refused_and_does_not_run(tmp_path: Path) -> None:
    source, ran = tmp_path / "t.parquet", tmp_path / "ran"
    subprocess.run([sys.executable, "-c", _CRAFT, source, ran], check=False, capture_output=True)
    if ran.is_dir():
        ran.rmdir()
    table, files = open_format(Data(source=str(source))), open_source(str(source)).list_files("all")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        table.infer_schema(files, "y")
    assert table.preview(files[0]) is None and not ran.exists()


def test_parquet_is_read_through_one_module_only() -> None:
    """Where it is imported otherwise, the remedy for an old pyarrow may not be active."""
    files = [path for part in ("components", "pipelines") for path in (REPOSITORY / part).rglob("*.py")]
    found = {path.relative_to(REPOSITORY).as_posix() for path in files if _imports_parquet(path)}
    assert found == {"components/_core/examples/safe_parquet.py"}


def _imports_parquet(path: Path) -> bool:
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)) if "pyarrow" in source else ():
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
        if any(name.startswith(("pyarrow.parquet", "pyarrow.dataset", "pyarrow.feather")) for name in names):
            return True
    return False
