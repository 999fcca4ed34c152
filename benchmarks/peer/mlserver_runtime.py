"""MLServer with its own runtime of a library, on the library's own model file: what its documentation serves.

python benchmarks/peer/mlserver_runtime.py RUNTIME MODEL_FILE NAME PORT
"""

from __future__ import annotations

import asyncio
import importlib
import sys

from bare_mlserver import quiet_settings  # type: ignore[import-not-found]  # beside this file, from whose folder it is run
from mlserver import MLServer, ModelSettings
from mlserver.settings import ModelParameters

RUNTIMES = {"sklearn": "SKLearnModel", "xgboost": "XGBoostModel", "lightgbm": "LightGBMModel"}


def main() -> None:
    """Serve until a signal comes."""
    runtime, file, name, port = sys.argv[1:]
    implementation = getattr(importlib.import_module(f"mlserver_{runtime}"), RUNTIMES[runtime])
    model = ModelSettings(name=name, implementation=implementation, parameters=ModelParameters(uri=file))
    asyncio.run(MLServer(quiet_settings(port)).start([model]))


if __name__ == "__main__":
    main()
