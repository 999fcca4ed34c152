"""A year of flights through the loop: `python -m benchmarks.year`.

The flights of January to March train the first champion; the other months come as requests. It writes `build/year/year.html` and, with
`--keep`, `docs/year.svg`, `benchmarks/results/year.json` and the tables of the two READMEs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from datetime import date
from pathlib import Path

from benchmarks.naru_run import environment
from benchmarks.year.flights import FIRST_SERVED, Changes

_FOLDER = Path("build/year")
_END = date(2013, 12, 30)


def main() -> int:
    """Run the year; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("--end", type=date.fromisoformat, default=_END, help="first day that is not served")
    parser.add_argument("--keep", action="store_true", help="renew the picture and the figures of the repository")
    options = parser.parse_args()
    world = environment()  # no setting of this shell leads to another store
    os.environ.clear()
    os.environ.update(world)
    from benchmarks.year.year import keep_results, run_year, write_year

    shutil.rmtree(_FOLDER, ignore_errors=True)
    began = time.perf_counter()
    year = run_year(_FOLDER.resolve(), FIRST_SERVED, options.end, Changes(), print)
    page = write_year(year, _FOLDER)
    if options.keep:
        keep_results(year)
    for line in year.lines():
        print(line)
    print(f"{page}  {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
